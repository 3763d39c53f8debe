// SPDX-License-Identifier: Apache-2.0
// What sandboxes deny, in the supervisor: who reports it, and what the ends of tasks say of it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/size.hpp"
#include "supervisor/core.hpp"
#include "supervisor/output_hint.hpp"
#include "supervisor/task_files.hpp"

namespace fabric {
namespace {

constexpr size_t k_tail = 4096;

std::string tail_of(const std::string& path) {
  std::string text;
  Result<Fd> file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return text;
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  std::array<char, k_tail> bytes;
  const off_t from = std::max<off_t>(0, size - off_t{k_tail});
  const ssize_t got = ::pread(file->get(), bytes.data(), bytes.size(), from);
  if (got > 0) text.assign(bytes.data(), static_cast<size_t>(got));
  return text;
}

std::string quoted(uint64_t bytes) { return '"' + size_to_string(bytes) + '"'; }

// The limits that this attempt met, whether it ended of them or went on. Those that it ended of
// have been said in the reason already; here they are for those who look at the agent.
std::vector<Violation> limits_met(const Outcome& outcome, const AgentDefinition& definition) {
  std::vector<Violation> met;
  const Limits& limits = definition.limits;
  const auto add = [&](ViolationKind kind, const char* what, const std::string& key,
                       const std::string& now, const std::string& twice) {
    Violation v;
    v.source = ViolationSource::limit;
    v.kind = kind;
    v.what = what;
    v.rule = key + " = " + now;
    v.allow = key + " = " + twice;
    met.push_back(std::move(v));
  };
  const uint64_t mebibytes = limits.memory_bytes >> 20;
  if (mebibytes != 0 && (outcome.reason == Reason::memory || outcome.memory_met))
    add(ViolationKind::memory, "memory", "isolation.memory_mb", std::to_string(mebibytes),
        std::to_string(2 * mebibytes));
  if (limits.pids != 0 && outcome.pids_refused > 0) {
    add(ViolationKind::pids, "processes", "isolation.pids", std::to_string(limits.pids),
        std::to_string(2 * limits.pids));
    met.back().count = outcome.pids_refused;
  }
  if (outcome.reason == Reason::disk)
    add(ViolationKind::disk, "disk", "isolation.disk", quoted(limits.disk_bytes),
        quoted(2 * limits.disk_bytes));
  if (outcome.reason == Reason::file_size)
    add(ViolationKind::file_size, "file size", "isolation.file_size",
        quoted(limits.file_size_bytes), quoted(2 * limits.file_size_bytes));
  if (outcome.dropped_bytes > 0)
    add(ViolationKind::output, "output", "max_output", quoted(definition.max_output_bytes),
        quoted(2 * definition.max_output_bytes));
  return met;
}

}  // namespace

void SupervisorCore::denied_call(const std::string& id, const DeniedCall& denied) {
  const Entry* entry = find(id);
  if (entry == nullptr || !entry->host) return;
  violations_->add(entry->agent, entry->host->runner().task_of(denied.attempt), denied);
}

void SupervisorCore::report(const std::string& id, Violation violation) {
  if (const Entry* entry = find(id)) violations_->add(entry->agent, std::move(violation));
}

void SupervisorCore::report_refused(const std::string& id, const EgressRefused& refused) {
  Violation violation = egress_violation(refused);
  if (!violation.at.set()) violation.at = clock_.now();
  const Entry* entry = find(id);
  if (entry != nullptr && entry->host) violation.task = entry->host->runner().task_at(violation.at);
  // It counts for a second before it says so: the task may have ended since.
  if (entry != nullptr && violation.task.empty())
    violation.task = violations_->task_denied_the_same(entry->agent, violation);
  report(id, std::move(violation));
}

void SupervisorCore::say_what_was_denied(const std::string& id, const Task& task,
                                         Outcome& outcome) {
  explain_outcome(id, task, outcome);
  // Who has seen the end of a task and asks what it was denied finds it.
  violations_->write_now();
}

void SupervisorCore::explain_outcome(const std::string& id, const Task& task, Outcome& outcome) {
  const Entry* entry = find(id);
  if (entry == nullptr) return;
  for (Violation& limit : limits_met(outcome, entry->agent.definition)) {
    limit.task = task.id;
    limit.attempt_id = task.attempt_id;
    report(id, std::move(limit));
  }
  if (outcome.state == TaskState::completed) return;
  const bool by_itself = outcome.reason == Reason::exit || outcome.reason == Reason::signal ||
                         outcome.reason == Reason::error;
  const bool walls = entry->agent.definition.isolation != IsolationLevel::none;
  if (!by_itself || !walls) return;
  std::string likely = violations_->likely(entry->agent, task);
  if (likely.empty() && outcome.stderr_bytes != 0) {
    auto hint = hint_in(tail_of(error_path(workspace_, task)));
    if (!hint) return;
    hint->task = task.id;
    hint->attempt_id = task.attempt_id;
    report(id, std::move(*hint));
    likely = violations_->likely(entry->agent, task);
  }
  if (!likely.empty()) outcome.detail += std::string(k_likely) + likely;
}

}  // namespace fabric
