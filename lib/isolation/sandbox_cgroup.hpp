// SPDX-License-Identifier: Apache-2.0
// The groups of one sandbox: made with limits, measured, killed, removed. What the calls find is
// decided by names alone, so they work for a sandbox that another process made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "isolation/cgroup_host.hpp"
#include "model/limits.hpp"

namespace fabric {

// cpu limits are in periods of 100 ms, of which the kernel takes no quota below 1 ms.
constexpr uint64_t k_cpu_period_us = 100000;
uint64_t cpu_quota_us(const Limits& limits);

struct SandboxCgroup {
  std::vector<Fd>
      join;  // v1 `tasks` files: the init writes 0 to each, first thing of all.
             // (Writing a pid to cgroup.procs waits up to 16 ms for an RCU grace period.)
  Fd into;   // unified: for CLONE_INTO_CGROUP; may be invalid
  struct Leaf {
    Fd unified, memory;
  };
  std::vector<Leaf> leaves;  // one a slot
  Fd cpu_stat, pids_events;  // of the whole sandbox, for its init to read; may be invalid
};

// `uid`: whose processes will start others in the leaves (CLONE_INTO_CGROUP asks whether they may
// write cgroup.procs); nullopt when they stay ours. On failure nothing is left.
Result<SandboxCgroup> make_sandbox_cgroup(const CgroupHost& host, const std::string& name,
                                          const Limits& limits, uint32_t slots,
                                          std::optional<uint32_t> uid);
// Reads back that the limits are in force for process `init`: that the kernel has the values, and
// the process in these groups. (On v1 the init is outside the memory limit, its tasks are not.)
Status check_sandbox_cgroup(const CgroupHost& host, const std::string& name, const Limits& limits,
                            pid_t init);
Result<ResourceUsage> read_usage(const CgroupHost& host, const SandboxIdentity& identity);
// Adds what the attempts use that run now, and what comes from the init's own records.
void read_attempts(const CgroupHost& host, const SandboxIdentity& identity, ResourceUsage& usage);
// SIGKILL to everything in it. No group: nothing to do.
Status kill_sandbox_cgroup(const CgroupHost& host, const std::string& name);
// Removes the groups as they become empty. timed_out when they do not within `limit`.
Status remove_sandbox_cgroup(const CgroupHost& host, const std::string& name, Duration limit);
// All names that exist below the root of `host`.
std::vector<std::string> list_sandbox_cgroups(const CgroupHost& host);

// What the init of a sandbox that has a user namespace of root's making writes in the groups of a
// slot: root's files are nobody's there. (As an ordinary user they are its own.)
Status hand_to_init(const Fd& unified, const Fd& memory, uint32_t uid, uint32_t gid);

}  // namespace fabric
