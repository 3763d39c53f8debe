// SPDX-License-Identifier: Apache-2.0
#include "isolation/host_features.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/id.hpp"
#include "isolation/degrade.hpp"
#include "isolation/egress_plan.hpp"
#include "isolation/init_wire.hpp"
#include "isolation/launcher.hpp"

namespace fabric {

namespace {

int landlock_abi() {
  long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

bool can_filter() {
  uint32_t action = SECCOMP_RET_KILL_PROCESS;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace

HostFeatures cheap_features(const CgroupHost& cgroups) {
  HostFeatures features;
  features.cgroups = cgroups.mode;
  features.memory = cgroups.memory_limit;
  features.cpu = cgroups.cpu_limit;
  features.pids = cgroups.pids_limit;
  features.lacking = cgroups.lacking;
  features.cgroup_kill = cgroups.unified.directory.valid();
  features.landlock_abi = landlock_abi();
  features.namespaces = true;
  return features;
}

void probe_features(HostFeatures& features, IdMaps& maps) {
  const bool root = ::geteuid() == 0;
  Status namespaces = probe_namespaces(!root);
  features.namespaces = namespaces.has_value() && can_filter();
  if (!namespaces)
    features.lacking = namespaces.error().message + "; " + namespaces.error().hint;
  else if (!features.namespaces)
    features.lacking = "the kernel has no seccomp filters";
  if (root && features.namespaces) {
    auto map = maps.get({0, 0}, {k_first_agent_uid, k_first_agent_uid});
    // Of "/" with all that is mounted below it some part never can be.
    auto place = open_file("/usr", O_PATH | O_DIRECTORY);
    features.idmapped_mounts = map && place && open_mapped_tree(*place, "/usr", **map).has_value();
  }
}

Error namespaces_lacking(const HostFeatures& features) {
  return {ErrorCode::unavailable, "isolation level process needs namespaces: " + features.lacking,
          "see: fabric doctor"};
}

namespace {

// A root of its own is what level container is.
Status check_root(const SandboxSpec& spec) {
  const bool container = spec.level == IsolationLevel::container;
  if (container == !spec.options.root.empty()) return {};
  if (container)
    return fail(ErrorCode::usage, "isolation level container needs a root file system",
                "name one: --root DIRECTORY, or root = \"...\" below [agent.isolation]");
  return fail(ErrorCode::usage,
              "isolation level " + std::string(to_string(spec.level)) + " has no root of its own",
              "use isolation level container, or leave the root out");
}

// Rules that only walls can keep.
Status check_paths(const SandboxSpec& spec) {
  const SandboxOptions& o = spec.options;
  if (spec.level != IsolationLevel::none) return {};
  if (o.read_only.empty() && o.read_write.empty() && o.hidden.empty() && o.no_write.empty())
    return {};
  return fail(ErrorCode::usage,
              "isolation none has no walls, so ro, rw, hide and no_write mean nothing",
              "use isolation process, or leave the rules out");
}

}  // namespace

Status check_spec(const SandboxSpec& spec, const HostFeatures& features) {
  if (spec.level != IsolationLevel::none && !features.namespaces)
    return fail(namespaces_lacking(features));
  if (!spec.options.publish.empty() && !spec.options.publish_allowed)
    return fail(ErrorCode::denied, "publishing ports is not allowed here",
                "set publish_allowed = true below [agent.isolation] in fabric.toml");
  if (spec.options.learn && spec.level != IsolationLevel::process)
    return fail(ErrorCode::unavailable,
                "what an agent needs is learned at isolation level process only",
                "leave --learn out, or use isolation level process");
  if (spec.level == IsolationLevel::none && wants_egress(spec.options))
    return fail(ErrorCode::unavailable,
                "rules of egress cannot hold at isolation level none: it has the host's network",
                "use isolation level process, or leave egress, publish and inject out");
  if (spec.slots == 0 || spec.slots > wire::k_max_slots)
    return fail(ErrorCode::usage, "slots must be 1 to " + std::to_string(wire::k_max_slots));
  if (spec.number > 1000000) return fail(ErrorCode::usage, "agent number out of range");
  TRY_STATUS(check_id(spec.cgroup, "cgroup name"));
  TRY_STATUS(check_root(spec));
  std::vector<std::string> degraded;
  TRY(within_means(spec, features, degraded));
  if (spec.slots > 1 && !features.cgroup_kill)
    return fail(ErrorCode::unavailable,
                "more than one attempt at once needs cgroup v2, to tell their processes apart",
                features.lacking);
  TRY_STATUS(check_paths(spec));
  const std::string& work = spec.options.work.empty() ? spec.work_dir : spec.options.work;
  if (work.empty()) return {};
  struct stat status {};
  if (::stat(work.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return fail(ErrorCode::usage, work + ": not a directory");
  return {};
}

}  // namespace fabric
