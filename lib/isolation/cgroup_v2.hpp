// SPDX-License-Identifier: Apache-2.0
// Finding a place for our groups where there is nothing but cgroup v2: a group that may give
// controllers to its children. One with processes in it may not (except the very root), so whoever
// is in ours has to step aside, into a child beside our groups:
//
//   <own>/fabric-aside    the supervisor, and who was in <own> with it
//   <own>/<root>          the sandboxes
#pragma once

#include <string>

#include "isolation/cgroup_host.hpp"
#include "isolation/cgroup_mounts.hpp"

namespace fabric {

// Fills in `unified`, the three limits and `lacking`. `proc_cgroup`: the text of /proc/self/cgroup.
void open_unified(CgroupHost& host, const CgroupHierarchy& hierarchy,
                  const std::string& proc_cgroup, const std::string& root);
// Undoes it: removes the root, and when no other group is there either, everybody steps back.
void leave_unified(const CgroupHost& host);

}  // namespace fabric
