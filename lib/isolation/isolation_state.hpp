// SPDX-License-Identifier: Apache-2.0
// Private to lib/isolation: what an IsolationManager keeps, for the files that make sandboxes.
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "isolation/cgroup_host.hpp"
#include "isolation/container.hpp"
#include "isolation/degrade.hpp"
#include "isolation/id_map.hpp"
#include "isolation/isolation_manager.hpp"
#include "isolation/mount_plan.hpp"
#include "isolation/path_plan.hpp"
#include "isolation/seccomp_policies.hpp"
#include "isolation/spec_encoder.hpp"

namespace fabric {

struct IsolationManager::State {
  std::string boot_id;
  std::string init_binary;  // path
  Fd binary, dev_null;
  CgroupHost cgroups;
  HostFeatures features;  // what costs nothing to find out, and after probed() the rest
  bool features_probed = false;
  SeccompPolicies policies;
  MountPlan host_plan;
  IdMaps maps;
  IdPair self;
  // Of adopted sandboxes that a supervisor made elsewhere in the hierarchy, by name: when its init
  // has ended nothing else would tell where they are.
  std::map<std::string, CgroupHost> elsewhere;

  // The parts that every sandbox shares.
  Status prepare(bool whole = true);  // or all but host_plan
  const HostFeatures& probed();
  [[nodiscard]] Status check(const SandboxSpec& spec, const HostFeatures& known) const;
  // What failed, or that this machine has not got what it takes: asked only when something failed.
  Error explained(Error error, const SandboxSpec& spec);
  Result<Fd> work_tree(const SandboxSpec& spec, const PathPlan& paths, IdPair agent,
                       std::vector<std::string>& degraded);
  // `container`: at that level, else null.
  Result<InitSpec> describe(const SandboxSpec& spec, const PathPlan& paths, IdPair agent,
                            const Container* container);
  Result<Sandbox> build(const SandboxSpec& spec);
  // The groups of a sandbox: ours, or where its process really is.
  Result<ResourceUsage> usage(const SandboxIdentity& identity) const;
};

// Above the numbers that the launcher's child gives away.
inline Result<Fd> move_above(Fd fd) {
  const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 10);
  if (copy < 0) return fail_errno(errno, "duplicating a descriptor");
  return Fd(copy);
}

}  // namespace fabric
