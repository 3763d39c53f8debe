// SPDX-License-Identifier: Apache-2.0
// A sandbox as the init is told of it (wire::SpecHead and what follows).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "isolation/mount_plan.hpp"
#include "isolation/seccomp_filter.hpp"
#include "model/limits.hpp"

namespace fabric {

// With wire::k_container (wire::ContainerHead).
struct ContainerLayers {
  uint32_t flags = 0;
  std::string lower, upper, start_dir;
  uint64_t upper_bytes = 0;
};

struct InitSpec {
  uint32_t flags = 0;  // wire::SpecFlags
  uint32_t slots = 1;
  uint32_t uid = 0, gid = 0;
  uint32_t journal_next = 0;
  uint64_t journal_sequence = 0;
  int64_t orphan_grace_ns = 0;
  wire::TaskLimits limits{};
  std::string work_dir, host_name, probe, path_env;
  std::string networks;  // with wire::k_egress
  ContainerLayers container;
  MountPlan mounts;
  std::shared_ptr<const SeccompFilter> filter;
};

// Of each process that the init starts.
wire::TaskLimits task_limits(const Limits& limits);
// The whole SPEC packet, header included. ErrorCode::usage when it is too large.
Result<std::string> encode_spec(const InitSpec& spec);

}  // namespace fabric
