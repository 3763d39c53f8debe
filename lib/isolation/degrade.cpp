// SPDX-License-Identifier: Apache-2.0
#include "isolation/degrade.hpp"

namespace fabric {

Status weaken(const SandboxSpec& spec, std::vector<std::string>& degraded, const std::string& what,
              const std::string& cause, const std::string& mend) {
  if (!spec.options.degrade)
    return fail(ErrorCode::unavailable, cause + "; without it " + what,
                mend + "; or take it as it is: --degrade");
  degraded.push_back(what + " (" + cause + ")");
  return {};
}

namespace {

constexpr const char* k_delegated =
    "run it in a delegated cgroup: systemd-run --user --scope -p Delegate=yes -- fabric ...; or "
    "give the limits up: --memory none --cpu none --pids none";

template <class T>
Status limit_or_not(T& limit, bool possible, const char* name, const char* of,
                    const SandboxSpec& spec, std::vector<std::string>& degraded) {
  if (limit == 0 || possible) return {};
  limit = 0;
  return weaken(spec, degraded, std::string(of) + " is not limited",
                std::string("a ") + name + " limit cannot be enforced here: no cgroup to put it in",
                k_delegated);
}

}  // namespace

Result<SandboxSpec> within_means(const SandboxSpec& spec, const HostFeatures& features,
                                 std::vector<std::string>& degraded) {
  SandboxSpec possible = spec;
  Limits& limits = possible.limits;
  TRY_STATUS(
      limit_or_not(limits.memory_bytes, features.memory, "memory", "memory", spec, degraded));
  TRY_STATUS(
      limit_or_not(limits.cpu_millicores, features.cpu, "cpu", "processor time", spec, degraded));
  TRY_STATUS(limit_or_not(limits.pids, features.pids, "process", "the number of processes", spec,
                          degraded));
  if (spec.level != IsolationLevel::none && features.landlock_abi < k_least_landlock)
    TRY_STATUS(weaken(spec, degraded, "file access has one wall, the mounts, and not two",
                      features.landlock_abi == 0
                          ? "the kernel has no Landlock"
                          : "the kernel has Landlock version 1, which forbids every rename across "
                            "directories",
                      "start the kernel with lsm=landlock,... (Linux 5.19 or newer)"));
  return possible;
}

}  // namespace fabric
