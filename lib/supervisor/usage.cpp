// SPDX-License-Identifier: Apache-2.0
// What the sandboxes use, and the limits of their work directories.
#include <map>

#include "isolation/project_quota.hpp"
#include "supervisor/core.hpp"
#include "supervisor/live_usage.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

using TaskIds = std::multimap<AttemptId, std::string>;

LiveAttempt live(const AttemptUsage& attempt, const TaskIds& tasks) {
  LiveAttempt out;
  const auto [first, last] = tasks.equal_range(attempt.attempt);
  for (auto at = first; at != last; ++at) out.tasks.push_back(at->second);
  out.slot = attempt.slot;
  out.started_at = attempt.started_at;
  out.memory_bytes = attempt.memory_bytes;
  out.memory_peak_bytes = attempt.memory_peak_bytes;
  out.cpu_seconds = attempt.cpu.to_seconds();
  out.cpu_throttled_seconds = attempt.cpu_throttled.to_seconds();
  out.processes = attempt.processes;
  out.pids_refused = attempt.pids_refused;
  out.io_read_bytes = attempt.io_read_bytes;
  out.io_written_bytes = attempt.io_written_bytes;
  return out;
}

LiveUsage live(const ResourceUsage& usage, const TaskIds& tasks) {
  LiveUsage out;
  out.memory_bytes = usage.memory_bytes;
  out.memory_peak_bytes = usage.memory_peak_bytes;
  out.oom_kills = usage.oom_kills;
  out.cpu_seconds = usage.cpu.to_seconds();
  out.cpu_throttled_seconds = usage.cpu_throttled.to_seconds();
  out.pids = usage.pids;
  out.pids_refused = usage.pids_refused;
  out.io_read_bytes = usage.io_read_bytes;
  out.io_written_bytes = usage.io_written_bytes;
  out.net_received_bytes = usage.net_received_bytes;
  out.net_sent_bytes = usage.net_sent_bytes;
  for (const AttemptUsage& attempt : usage.attempts) out.attempts.push_back(live(attempt, tasks));
  return out;
}

}  // namespace

void SupervisorCore::usage(Responder responder) {
  struct Known {
    std::string id;
    SandboxIdentity identity;
    WallTime heartbeat_at;
    TaskIds tasks;
    std::optional<uint64_t> disk_bytes;
    std::string quota_of;  // a work directory of which the file system counts
    std::vector<LiveHost> hosts;
  };
  std::vector<Known> known;
  for (const auto& [id, entry] : agents_) {
    if (!entry.host) continue;
    Known& agent = known.emplace_back();
    agent.id = id;
    agent.identity = entry.host->identity();
    agent.heartbeat_at = entry.heartbeat_at;
    for (auto& [attempt, task] : entry.host->runner().running_tasks())
      agent.tasks.emplace(attempt, std::move(task));
    if (entry.agent.disk_quota == k_disk_project) agent.quota_of = work_directory(entry.agent);
    for (const auto& [host, used] : entry.egress)
      agent.hosts.push_back({host, used.in_bytes, used.out_bytes, used.connections});
    if (disk_watch_) agent.disk_bytes = disk_watch_->used(agent.identity.cgroup);
  }
  launcher_->post([known = std::move(known), responder](IsolationManager& manager) {
    json::Writer w;
    w.begin_object();
    for (const Known& agent : known) {
      Result<ResourceUsage> usage = manager.get_resource_usage(agent.identity);
      if (!usage) continue;
      LiveUsage out = live(*usage, agent.tasks);
      out.heartbeat_at = agent.heartbeat_at;
      out.disk_bytes = agent.quota_of.empty() ? agent.disk_bytes : project_usage(agent.quota_of);
      out.hosts = agent.hosts;
      w.key(agent.id);
      write_live_usage(w, out);
    }
    w.end_object();
    return std::function<void()>([responder, text = w.take()] { responder.result(text); });
  });
}

std::string SupervisorCore::work_directory(const Agent& agent) const {
  const std::string& own = agent.definition.sandbox.work;
  return own.empty() ? workspace_.work_dir(agent.definition.id) : own;
}

// A sandbox that was just made, or adopted.
void SupervisorCore::watch_disk(const Entry& entry) {
  if (entry.agent.disk_quota != k_disk_watched) return;
  const std::string& id = entry.agent.definition.id;
  if (!disk_watch_) {
    Result<DiskWatch> watch = DiskWatch::start(
        [this](const DiskWatch::Over& over) { loop_->post([this, over] { over_disk(over); }); });
    if (!watch) {
      log::error("work directory not watched", {{"agent", id}, {"error", watch.error().message}});
      return;
    }
    disk_watch_.emplace(*std::move(watch));
  }
  const bool container = entry.agent.definition.isolation == IsolationLevel::container;
  disk_watch_->add(entry.host->identity(), work_directory(entry.agent),
                   entry.agent.definition.limits.disk_bytes,
                   container ? workspace_.changes_dir(id) : "");
}

void SupervisorCore::over_disk(const DiskWatch::Over& over) {
  for (const auto& [id, entry] : agents_) {
    if (!entry.host || entry.host->identity().cgroup != over.cgroup) continue;
    if (!over.again)
      log::warn("over the limit of its work directory", {{"agent", id}, {"why", over.message}});
    entry.host->over_limit(EndReason::disk, over.message);
  }
}

}  // namespace fabric
