// SPDX-License-Identifier: Apache-2.0
// The trees of the host that a sandbox gets, opened by root: as detached mounts in which the
// agent's id stands for that of the tree's owner. What the agent makes there belongs to that owner
// outside.
#pragma once

#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "isolation/id_map.hpp"
#include "isolation/path_plan.hpp"

namespace fabric {

// /work. Unavailable where the file system has no id maps.
Result<Fd> open_work(const PathPlan& plan, IdPair agent, IdMaps& maps);
// The same without a map.
Result<Fd> open_plain_work(const PathPlan& plan);
// In order. Where a file system cannot be mapped: read-only trees stay unmapped, so that only what
// others may read is readable; of one that can be changed it is refused.
Result<std::vector<Fd>> open_trees(const PathPlan& plan, IdPair agent, IdMaps& maps);

}  // namespace fabric
