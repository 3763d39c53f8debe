// SPDX-License-Identifier: Apache-2.0
// What a sandbox of level `process` sees of the host's files: a list of steps for the init, made
// once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isolation/init_wire.hpp"
#include "model/limits.hpp"

namespace fabric {

struct MountStep {
  wire::MountKind kind;
  std::string source;  // host path, link text or file text
  std::string target;  // relative to the new root
  uint64_t argument = 0;
};
using MountPlan = std::vector<MountStep>;

// Looks at the host: which directories and files exist, which are links (a merged /usr).
MountPlan make_host_plan();
// Adds what differs from sandbox to sandbox: users, and sizes of what lives in memory.
MountPlan make_sandbox_plan(const MountPlan& host, uint32_t uid, uint32_t gid,
                            const Limits& limits);

// Parts of both plans, and of that of level container (container_plan.hpp).
void add_devices(MountPlan& plan);
void add_proc(MountPlan& plan);
void add_memory(MountPlan& plan, const Limits& limits);  // /tmp and /dev/shm
constexpr const char* k_hosts_text = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n";
constexpr uint64_t k_memory_default = uint64_t{1} << 30;  // without a limit to take half of

}  // namespace fabric
