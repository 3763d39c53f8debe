// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup_host.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "isolation/cgroup_v2.hpp"

namespace fabric {

namespace {

constexpr const char* k_delegate =
    "no cgroup that we may use: start it in a delegated one: systemd-run --user --scope -p "
    "Delegate=yes -- fabric up";
constexpr const char* k_writable =
    "no cgroup that we may use: /sys/fs/cgroup is not there or read-only: mount it, or run the "
    "container with its own writable cgroup namespace";

CgroupBase open_base(const std::string& path) {
  CgroupBase base;
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) base = CgroupBase{Fd(fd), path};
  return base;
}

// Makes <own>/<root>; empty when we may not.
CgroupBase make_base(const CgroupHierarchy& hierarchy, const std::string& proc_cgroup,
                     const std::string& root) {
  std::string own = hierarchy.directory_of(hierarchy.path_in(proc_cgroup));
  if (own.empty()) return {};
  std::string path = own + "/" + root;
  if (::mkdir(path.c_str(), 0755) != 0 && (errno != EEXIST || ::access(path.c_str(), W_OK) != 0))
    return {};
  return open_base(path);
}

}  // namespace

std::vector<const CgroupBase*> CgroupHost::all() const {
  std::vector<const CgroupBase*> bases;
  for (const CgroupBase* base : {&memory, &cpu, &cpuacct, &pids, &unified})
    if (*base) bases.push_back(base);
  return bases;
}

Result<CgroupHost> open_cgroup_host(const std::string& root, const WantedGroups& wanted,
                                    const std::string& mounts) {
  CgroupHost host;
  auto hierarchies =
      parse_cgroup_mounts(mounts.empty() ? TRY(read_file("/proc/self/mountinfo")) : mounts);
  const std::string own = TRY(read_file("/proc/self/cgroup"));
  const CgroupHierarchy* unified = nullptr;
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (hierarchy.unified) unified = unified != nullptr ? unified : &hierarchy;
    if (wanted.memory && hierarchy.has("memory") && !host.memory)
      host.memory = make_base(hierarchy, own, root);
    if (wanted.pids && hierarchy.has("pids") && !host.pids)
      host.pids = make_base(hierarchy, own, root);
    if (wanted.cpu && hierarchy.has("cpu") && !host.cpu) host.cpu = make_base(hierarchy, own, root);
    if (hierarchy.has("blkio") && host.blkio_path.empty()) {
      const std::string group = hierarchy.directory_of(hierarchy.path_in(own));
      if (!group.empty()) host.blkio_path = group + "/" + root;
    }
    // Only needed where no cpu.stat tells the same.
    if (wanted.cpuacct && hierarchy.has("cpuacct") && !hierarchy.has("cpu") && !host.cpuacct)
      host.cpuacct = make_base(hierarchy, own, root);
  }
  const bool v1 = host.memory || host.pids || host.cpu;
  if (v1) {
    host.memory_limit = host.memory.directory.valid();
    host.pids_limit = host.pids.directory.valid();
    host.cpu_limit = host.cpu.directory.valid();
    if (unified != nullptr && wanted.unified) host.unified = make_base(*unified, own, root);
    host.mode = host.unified ? CgroupMode::hybrid : CgroupMode::v1;
    if (host.unified && host.cpuacct) {
      ::rmdir(host.cpuacct.path.c_str());
      host.cpuacct = CgroupBase{};
    }
  } else if (unified != nullptr && wanted.unified) {
    open_unified(host, *unified, own, root);
    if (host.unified) host.mode = CgroupMode::v2;
  }
  if (host.mode != CgroupMode::v2 && (!host.memory_limit || !host.cpu_limit || !host.pids_limit))
    host.lacking = ::geteuid() == 0 ? k_writable : k_delegate;
  return host;
}

void leave_cgroup_host(const CgroupHost& host) {
  if (host.mode == CgroupMode::v2) return leave_unified(host);
  for (const CgroupBase* base : host.all()) ::rmdir(base->path.c_str());
  if (!host.blkio_path.empty()) ::rmdir(host.blkio_path.c_str());
}

CgroupHost locate_cgroups(pid_t pid, const std::string& name) {
  CgroupHost host;
  auto mounts = read_file("/proc/self/mountinfo");
  auto groups = read_file("/proc/" + std::to_string(pid) + "/cgroup");
  if (!mounts || !groups) return host;
  std::string root;
  auto base_of = [&](const CgroupHierarchy& hierarchy) -> CgroupBase {
    std::string path = hierarchy.directory_of(hierarchy.path_in(*groups));
    size_t at = path.rfind("/" + name);
    if (at == std::string::npos) return {};
    std::string after = path.substr(at + 1 + name.size());
    if (!after.empty() && after.front() != '/') return {};
    root = path.substr(path.rfind('/', at - 1) + 1, at - path.rfind('/', at - 1) - 1);
    return open_base(path.substr(0, at));
  };
  auto hierarchies = parse_cgroup_mounts(*mounts);
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (hierarchy.unified && !host.unified) host.unified = base_of(hierarchy);
    if (hierarchy.has("pids") && !host.pids) host.pids = base_of(hierarchy);
    if (hierarchy.has("blkio")) host.blkio_path = base_of(hierarchy).path;
    if (hierarchy.has("cpu") && !host.cpu) host.cpu = base_of(hierarchy);
    if (hierarchy.has("cpuacct") && !hierarchy.has("cpu") && !host.cpuacct)
      host.cpuacct = base_of(hierarchy);
  }
  // The init itself is one level higher in the memory hierarchy, outside its agent's limit.
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    std::string path = hierarchy.directory_of(hierarchy.path_in(*groups));
    if (hierarchy.has("memory") && !root.empty() && path.ends_with("/" + root))
      host.memory = open_base(path);
  }
  const bool v1 = host.memory || host.pids || host.cpu;
  if (v1)
    host.mode = host.unified ? CgroupMode::hybrid : CgroupMode::v1;
  else if (host.unified)
    host.mode = CgroupMode::v2;
  return host;
}

}  // namespace fabric
