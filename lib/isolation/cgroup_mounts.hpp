// SPDX-License-Identifier: Apache-2.0
// Where the cgroup hierarchies are mounted and where this process is in them. Pure parsing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fabric {

struct CgroupHierarchy {
  bool unified = false;                  // cgroup2
  std::vector<std::string> controllers;  // v1 only: "memory", "cpu", ...
  std::string mount_point;
  std::string mount_root;  // which group of the hierarchy is mounted there

  [[nodiscard]] bool has(std::string_view controller) const;
  // The directory of the group that /proc/<pid>/cgroup calls `path`; "" when it is not visible.
  [[nodiscard]] std::string directory_of(std::string_view path) const;
  // The path of this hierarchy in the text of /proc/<pid>/cgroup; "" when it is not in it.
  [[nodiscard]] std::string path_in(std::string_view proc_cgroup) const;
};

// From the text of /proc/self/mountinfo.
std::vector<CgroupHierarchy> parse_cgroup_mounts(std::string_view mountinfo);

}  // namespace fabric
