// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdlib>
#include <string>

#include "isolation/cgroup_file.hpp"
#include "isolation/sandbox_cgroup.hpp"

namespace fabric {

namespace {

uint64_t number_or_zero(const Fd& base, const std::string& path) {
  return read_number(base, path).value_or(0);
}

uint64_t field_or_zero(const Fd& base, const std::string& path, std::string_view key) {
  auto text = read_control(base, path);
  return text ? flat_field(*text, key) : 0;
}

// v1 counts a kill only in the group of its victim: the slots.
uint64_t oom_kills_v1(const Fd& memory, const std::string& name) {
  uint64_t kills = 0;
  for (const std::string& slot : child_groups(memory, name))
    kills += field_or_zero(memory, name + "/" + slot + "/memory.oom_control", "oom_kill");
  return kills;
}

// The columns of /proc/PID/net/dev: "NAME: bytes packets errs drop fifo frame compressed multicast
// bytes ...".
void read_network(pid_t pid, ResourceUsage& usage) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/net/dev", size_t{1} << 20);
  if (!text) return;
  uint64_t received = 0, sent = 0;
  for (size_t at = text->find(':'); at != std::string::npos; at = text->find(':', at + 1)) {
    std::array<unsigned long long, 9> columns{};
    const char* from = text->c_str() + at + 1;
    for (unsigned long long& column : columns) {
      char* end = nullptr;
      column = std::strtoull(from, &end, 10);
      from = end;
    }
    received += columns[0];
    sent += columns[8];
  }
  usage.net_received_bytes = received;
  usage.net_sent_bytes = sent;
}

}  // namespace

Result<ResourceUsage> read_usage(const CgroupHost& host, const SandboxIdentity& identity) {
  const std::string& name = identity.cgroup;
  if (host.mode == CgroupMode::none)
    return fail(ErrorCode::unavailable, "resource usage needs cgroups", host.lacking);
  const CgroupBase& first = host.unified ? host.unified : host.pids ? host.pids : host.memory;
  TRY_STATUS(open_group(first.directory, name).map([](const Fd&) {}));
  ResourceUsage usage;
  uint64_t cpu_ns = 0, throttled_ns = 0;
  const Fd& unified = host.unified.directory;
  if (host.mode == CgroupMode::v2) {
    const std::string work = name + "/work";
    usage.memory_bytes = number_or_zero(unified, work + "/memory.current");
    usage.memory_peak_bytes = number_or_zero(unified, work + "/memory.peak");
    usage.oom_kills = field_or_zero(unified, work + "/memory.events", "oom_kill");
    usage.pids = static_cast<uint32_t>(number_or_zero(unified, work + "/pids.current"));
    usage.pids_refused = field_or_zero(unified, work + "/pids.events", "max");
    throttled_ns = field_or_zero(unified, work + "/cpu.stat", "throttled_usec") * 1000;
  } else {
    if (host.memory) {
      const Fd& memory = host.memory.directory;
      usage.memory_bytes = number_or_zero(memory, name + "/memory.usage_in_bytes");
      usage.memory_peak_bytes = number_or_zero(memory, name + "/memory.max_usage_in_bytes");
      usage.oom_kills = oom_kills_v1(memory, name);
    }
    if (host.pids) {
      auto pids =
          static_cast<uint32_t>(number_or_zero(host.pids.directory, name + "/pids.current"));
      usage.pids = pids > 0 ? pids - 1 : 0;  // without the init
      usage.pids_refused = field_or_zero(host.pids.directory, name + "/pids.events", "max");
    }
    if (host.cpu)
      throttled_ns = field_or_zero(host.cpu.directory, name + "/cpu.stat", "throttled_time");
    const CgroupBase& accounts = host.cpuacct ? host.cpuacct : host.cpu;
    if (!host.unified && accounts)
      cpu_ns = number_or_zero(accounts.directory, name + "/cpuacct.usage");
  }
  if (host.unified) cpu_ns = field_or_zero(unified, name + "/cpu.stat", "usage_usec") * 1000;
  usage.cpu = Duration::nanoseconds(static_cast<int64_t>(cpu_ns));
  usage.cpu_throttled = Duration::nanoseconds(static_cast<int64_t>(throttled_ns));
  read_attempts(host, identity, usage);
  if (identity.own_network) read_network(identity.pid, usage);
  return usage;
}

}  // namespace fabric
