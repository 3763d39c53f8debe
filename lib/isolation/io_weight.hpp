// SPDX-License-Identifier: Apache-2.0
// A sandbox's part of a disk that others use too. Only some schedulers of disks heed it (bfq; on
// cgroup v2 also the kernel's io.cost, which an administrator turns on), so it is asked for by
// disk. The groups are made only for sandboxes that have a weight: one hierarchy more costs each of
// them.
#pragma once

#include <string>

#include "isolation/cgroup_host.hpp"
#include "isolation/sandbox_cgroup.hpp"
#include "model/limits.hpp"

namespace fabric {

// unavailable, with the cause and what to type, when nothing would heed a weight for the disk that
// `directory` is on.
Status check_io_weight(const CgroupHost& host, const std::string& directory);
// Within make_sandbox_cgroup(), before anybody is in the groups.
Status set_io_weight(const CgroupHost& host, const std::string& name, uint32_t weight,
                     SandboxCgroup& made);
// Reads it back.
Status check_io_weight_in_force(const CgroupHost& host, const std::string& name, uint32_t weight);

// bfq knows 1 to 1000, around the same 100: "250" is what it has for 2500.
uint32_t bfq_weight(uint32_t weight);

}  // namespace fabric
