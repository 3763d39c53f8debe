// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "isolation/cgroup_file.hpp"
#include "isolation/io_weight.hpp"
#include "isolation/sandbox_cgroup.hpp"

namespace fabric {

namespace {

Status expect(const Fd& base, const std::string& path, const std::string& wanted) {
  std::string text = TRY(read_control(base, path));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text == wanted) return {};
  return fail(ErrorCode::failed,
              "a limit is not in force: cgroup: " + path + " is " + text + ", not " + wanted);
}

// `group`: below `base`. An empty `controller` stands for the unified hierarchy.
Status expect_member(std::string_view proc_cgroup, const std::string& controller,
                     const CgroupBase& base, const std::string& group) {
  CgroupHierarchy hierarchy;
  hierarchy.unified = controller.empty();
  hierarchy.controllers = {controller};
  const std::string path = hierarchy.path_in(proc_cgroup);
  if (path.ends_with(base.path.substr(base.path.rfind('/')) + group)) return {};
  return fail(ErrorCode::failed,
              "the limits are not in force: fabric-init is in cgroup " + path + ", not " + group);
}

// What the kernel makes of it: whole pages.
std::string pages(uint64_t bytes) {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return std::to_string(bytes / page * page);
}

}  // namespace

Status check_sandbox_cgroup(const CgroupHost& host, const std::string& name, const Limits& limits,
                            pid_t init) {
  if (host.mode == CgroupMode::none) return {};
  const std::string groups = TRY(read_file("/proc/" + std::to_string(init) + "/cgroup"));
  const bool v2 = host.mode == CgroupMode::v2;
  if (host.unified)
    TRY_STATUS(expect_member(groups, "", host.unified, "/" + name + (v2 ? "/init" : "")));
  if (limits.memory_bytes != 0) {
    const CgroupBase& base = v2 ? host.unified : host.memory;
    const char* file = v2 ? "/work/memory.max" : "/memory.limit_in_bytes";
    TRY_STATUS(expect(base.directory, name + file, pages(limits.memory_bytes)));
  }
  if (limits.cpu_millicores != 0) {
    const std::string quota = std::to_string(cpu_quota_us(limits));
    const std::string period = std::to_string(k_cpu_period_us);
    if (v2) {
      TRY_STATUS(expect(host.unified.directory, name + "/work/cpu.max", quota + " " + period));
    } else {
      TRY_STATUS(expect_member(groups, "cpu", host.cpu, "/" + name));
      TRY_STATUS(expect(host.cpu.directory, name + "/cpu.cfs_quota_us", quota));
      TRY_STATUS(expect(host.cpu.directory, name + "/cpu.cfs_period_us", period));
    }
  }
  if (limits.pids != 0) {
    if (!v2) TRY_STATUS(expect_member(groups, "pids", host.pids, "/" + name));
    const CgroupBase& base = v2 ? host.unified : host.pids;
    TRY_STATUS(expect(base.directory, name + (v2 ? "/work/pids.max" : "/pids.max"),
                      std::to_string(uint64_t{limits.pids} + (v2 ? 0 : 1))));
  }
  return check_io_weight_in_force(host, name, limits.io_weight);
}

}  // namespace fabric
