// SPDX-License-Identifier: Apache-2.0
#include "isolation/host_features.hpp"

#include <fcntl.h>
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
    auto place = open_file("/", O_PATH | O_DIRECTORY);
    features.idmapped_mounts = map && place && open_mapped_tree(*place, "/", **map).has_value();
  }
  return features;
}

namespace {

// What rules can ask for and no part of this version builds yet: refused, never ignored.
Status check_served(const SandboxSpec& spec) {
  const SandboxOptions& o = spec.options;
  const Limits& l = spec.limits;
  const Limits defaults;
  const std::pair<bool, const char*> asked[] = {
      {!o.root.empty(), "root"},
      {!o.egress.empty(), "egress"},
      {!o.publish.empty(), "publish"},
      {!o.secrets.empty(), "secrets"},
      {!o.inject.empty(), "inject"},
      {o.seccomp != "default", "seccomp"},
      {o.degrade, "degrade"},
      {l.disk_bytes != 0, "disk"},
      {l.output_rate != 0, "output_rate"},
      {l.io_weight != 0, "io_weight"},
      {l.nofile != defaults.nofile, "nofile"},
      {l.file_size_bytes != defaults.file_size_bytes, "file_size"},
      {l.tmp_bytes != 0, "tmp"},
      {l.shm_bytes != 0, "shm"},
  };
  for (const auto& [wanted, name] : asked)
    if (wanted)
      return fail(ErrorCode::unavailable,
                  "isolation." + std::string(name) + " is not available yet in this version",
                  "leave it out");
  return {};
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
  TRY_STATUS(check_paths(spec));
  const std::string& work = spec.options.work.empty() ? spec.work_dir : spec.options.work;
  struct stat status {};
  if (::stat(work.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return fail(ErrorCode::usage, work + ": not a directory");
  return {};
}

}  // namespace fabric
