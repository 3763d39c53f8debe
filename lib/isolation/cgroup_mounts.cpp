// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup_mounts.hpp"

#include <algorithm>

#include "isolation/mount_info.hpp"
#include "isolation/split.hpp"

namespace fabric {

bool CgroupHierarchy::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

std::string CgroupHierarchy::directory_of(std::string_view path) const {
  if (path.empty() || path.find("/..") != std::string_view::npos) return {};
  if (mount_root != "/") {
    if (path.substr(0, mount_root.size()) != mount_root) return {};
    path.remove_prefix(mount_root.size());
    if (!path.empty() && path.front() != '/') return {};
  }
  std::string directory = mount_point + std::string(path);
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return directory;
}

std::string CgroupHierarchy::path_in(std::string_view proc_cgroup) const {
  for (std::string_view line : split(proc_cgroup, '\n')) {
    size_t first = line.find(':');
    size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    std::string_view names = line.substr(first + 1, second - first - 1);
    std::string_view path = line.substr(second + 1);
    if (unified) {
      if (names.empty()) return std::string(path);
      continue;
    }
    for (std::string_view name : split(names, ','))
      if (has(name)) return std::string(path);
  }
  return {};
}

std::vector<CgroupHierarchy> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupHierarchy> found;
  for (MountInfo& mount : parse_mount_info(mountinfo)) {
    CgroupHierarchy hierarchy;
    hierarchy.unified = mount.type == "cgroup2";
    if (!hierarchy.unified && mount.type != "cgroup") continue;
    hierarchy.mount_root = std::move(mount.root);
    hierarchy.mount_point = std::move(mount.point);
    if (!hierarchy.unified)
      for (std::string_view option : split(mount.super_options, ','))
        if (option == "memory" || option == "cpu" || option == "cpuacct" || option == "pids" ||
            option == "blkio")
          hierarchy.controllers.emplace_back(option);
    if (hierarchy.unified || !hierarchy.controllers.empty()) found.push_back(std::move(hierarchy));
  }
  return found;
}

}  // namespace fabric
