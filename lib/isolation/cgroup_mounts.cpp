// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup_mounts.hpp"

#include <algorithm>

namespace fabric {

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      out += static_cast<char>(value);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

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
  for (std::string_view line : split(mountinfo, '\n')) {
    auto fields = split(line, ' ');
    auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    std::string_view type = *(dash + 1);
    if (type != "cgroup" && type != "cgroup2") continue;
    CgroupHierarchy hierarchy;
    hierarchy.unified = type == "cgroup2";
    hierarchy.mount_root = unescape(fields[3]);
    hierarchy.mount_point = unescape(fields[4]);
    if (!hierarchy.unified)
      for (std::string_view option : split(*(dash + 3), ','))
        if (option == "memory" || option == "cpu" || option == "cpuacct" || option == "pids" ||
            option == "blkio")
          hierarchy.controllers.emplace_back(option);
    if (hierarchy.unified || !hierarchy.controllers.empty()) found.push_back(std::move(hierarchy));
  }
  return found;
}

}  // namespace fabric
