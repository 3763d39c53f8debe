// SPDX-License-Identifier: Apache-2.0
#include "isolation/host_features.hpp"

#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/id.hpp"
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

Status check_limit(bool wanted, bool possible, const char* name) {
  if (!wanted || possible) return {};
  return fail(
      ErrorCode::unavailable,
      std::string("a ") + name + " limit cannot be enforced here: no cgroup to put it in",
      "run it in a delegated cgroup: systemd-run --user --scope -p Delegate=yes -- fabric up; "
      "or give the limits up: --memory none --cpu none --pids none");
}

}  // namespace

HostFeatures find_features(const CgroupHost& cgroups, IdMaps& maps) {
  HostFeatures features;
  features.cgroups = cgroups.mode;
  features.memory = cgroups.memory_limit;
  features.cpu = cgroups.cpu_limit;
  features.pids = cgroups.pids_limit;
  features.lacking = cgroups.lacking;
  features.cgroup_kill = cgroups.unified.directory.valid();
  features.landlock_abi = landlock_abi();
  const bool root = ::geteuid() == 0;
  Status namespaces = probe_namespaces(!root);
  features.namespaces = namespaces.has_value() && can_filter();
  if (!namespaces)
    features.lacking =
        namespaces.error().message + (root ? ""
                                           : "; allow unprivileged user namespaces (sysctl "
                                             "kernel.apparmor_restrict_unprivileged_userns=0, "
                                             "user.max_user_namespaces)");
  else if (!features.namespaces)
    features.lacking = "the kernel has no seccomp filters";
  if (root && features.namespaces) {
    auto map = maps.get({0, 0}, {k_first_agent_uid, k_first_agent_uid});
    features.idmapped_mounts = map && open_mapped_tree("/", **map).has_value();
  }
  return features;
}

namespace {

// What rules can ask for and no part of this version builds yet: refused, never ignored.
Status check_served(const SandboxSpec& spec) {
  const SandboxOptions& o = spec.options;
  const std::pair<bool, const char*> asked[] = {
      {!o.read_only.empty(), "ro"},        {!o.read_write.empty(), "rw"},
      {!o.hidden.empty(), "hide"},         {!o.no_write.empty(), "no_write"},
      {!o.work.empty(), "work"},           {!o.root.empty(), "root"},
      {!o.egress.empty(), "egress"},       {!o.publish.empty(), "publish"},
      {!o.secrets.empty(), "secrets"},     {!o.inject.empty(), "inject"},
      {o.seccomp != "default", "seccomp"}, {o.degrade, "degrade"},
  };
  for (const auto& [wanted, name] : asked)
    if (wanted)
      return fail(ErrorCode::unavailable,
                  "isolation." + std::string(name) + " is not available yet in this version",
                  "leave it out");
  return {};
}

}  // namespace

Status check_spec(const SandboxSpec& spec, const HostFeatures& features) {
  if (spec.level == IsolationLevel::container)
    return fail(ErrorCode::unavailable,
                "isolation level container is not available yet in this version",
                "use isolation level process");
  if (spec.level == IsolationLevel::process && !features.namespaces)
    return fail(ErrorCode::unavailable,
                "isolation level process needs namespaces: " + features.lacking,
                "see: fabric doctor");
  if (spec.slots == 0 || spec.slots > wire::k_max_slots)
    return fail(ErrorCode::usage, "slots must be 1 to " + std::to_string(wire::k_max_slots));
  if (spec.number > 1000000) return fail(ErrorCode::usage, "agent number out of range");
  TRY_STATUS(check_id(spec.cgroup, "cgroup name"));
  TRY_STATUS(check_served(spec));
  const Limits& limits = spec.limits;
  TRY_STATUS(check_limit(limits.memory_bytes != 0, features.memory, "memory"));
  TRY_STATUS(check_limit(limits.cpu_millicores != 0, features.cpu, "cpu"));
  TRY_STATUS(check_limit(limits.pids != 0, features.pids, "process"));
  if (spec.slots > 1 && !features.cgroup_kill)
    return fail(ErrorCode::unavailable,
                "more than one attempt at once needs cgroup v2, to tell their processes apart",
                features.lacking);
  struct stat status {};
  if (::stat(spec.work_dir.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return fail(ErrorCode::usage, spec.work_dir + ": not a directory");
  return {};
}

}  // namespace fabric
