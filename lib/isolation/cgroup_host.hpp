// SPDX-License-Identifier: Apache-2.0
// The groups of this machine that we may use: one directory per hierarchy, below our own group, in
// which each sandbox gets a group of its own. Found by trying (a directory is made), never assumed.
//
//   v1      memory/<root>/<sandbox>/slotN     limit on <sandbox>; a task joins its slot
//   hybrid  cpu, pids/<root>/<sandbox>        limit; the init and its tasks
//           unified/<root>/<sandbox>/slotN    no controllers, but cgroup.kill and cpu.stat
//   v2      <root>/<sandbox>/{init,work/slotN}  limits on work
#pragma once

#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "isolation/cgroup_mounts.hpp"
#include "isolation/isolation_manager.hpp"

namespace fabric {

struct CgroupBase {
  Fd directory;
  std::string path;
  explicit operator bool() const { return directory.valid(); }
};

struct CgroupHost {
  CgroupMode mode = CgroupMode::none;
  bool memory_limit = false, cpu_limit = false, pids_limit = false;
  CgroupBase memory, cpu, cpuacct, pids;  // v1
  CgroupBase unified;                     // v2 and hybrid
  // v1, of the root that sandboxes with an io weight get a group in (io_weight.hpp); made when the
  // first one comes. "": none.
  std::string blkio_path;
  std::string lacking;  // why there is no better, and what to type

  // All that are there, each once.
  [[nodiscard]] std::vector<const CgroupBase*> all() const;
};

// Hierarchies of v1 in which groups are made; of v2 there is only one.
struct WantedGroups {
  bool memory = true, cpu = true, cpuacct = true, pids = true, unified = true;
};
Result<CgroupHost> open_cgroup_host(const std::string& root, const WantedGroups& wanted = {},
                                    const std::string& mounts = "");
// Removes the roots, unless a sandbox is left in them.
void leave_cgroup_host(const CgroupHost& host);
// The same for the groups in which process `pid` is, if it is in one called `name`: a sandbox may
// have been made by a supervisor that lived elsewhere in the hierarchy.
CgroupHost locate_cgroups(pid_t pid, const std::string& name);

}  // namespace fabric
