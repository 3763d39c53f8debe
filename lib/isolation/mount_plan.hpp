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

}  // namespace fabric
