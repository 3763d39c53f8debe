// SPDX-License-Identifier: Apache-2.0
#include "isolation/namespace_refusal.hpp"

#include <unistd.h>

#include <cerrno>

#include "base/fd.hpp"

namespace fabric {

namespace {

// Read only to word the answer; whether it works was tried.
bool setting_is(const char* path, char value) {
  auto text = read_file(path, 64);
  return text && !text->empty() && text->front() == value;
}

std::string way_out_of_apparmor() {
  return "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for fabric "
         "that says userns";
}

struct Cause {
  std::string why, mend;
};

Cause cause_of_clone(int error) {
  if (error == ENOSPC || setting_is("/proc/sys/user/max_user_namespaces", '0'))
    return {"no user namespace may be made (user.max_user_namespaces)",
            "sysctl user.max_user_namespaces=15000"};
  if (setting_is("/proc/sys/kernel/unprivileged_userns_clone", '0'))
    return {"ordinary users may not make user namespaces (kernel.unprivileged_userns_clone)",
            "sysctl kernel.unprivileged_userns_clone=1"};
  if (error == ENOSYS || error == EPERM)
    return {
        "making namespaces is forbidden here, as in a container with the usual system call "
        "filter",
        "start the container with --security-opt seccomp=unconfined (docker, podman), or run "
        "fabric outside of it"};
  return {"the kernel has no such namespaces", "use a kernel with all namespaces (Linux 5.19)"};
}

Cause cause_inside(NamespaceStep step) {
  if (setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1'))
    return {"AppArmor lets ordinary users make a user namespace but do nothing in it",
            way_out_of_apparmor()};
  if (step == NamespaceStep::id_map)
    return {
        "a user namespace could be made, its ids could not be mapped, as in a container whose "
        "security policy forbids it",
        "start the container with --security-opt seccomp=unconfined --security-opt "
        "apparmor=unconfined, or run fabric outside of it"};
  return {
      "a user namespace could be made, but it gives no rights: a security policy (AppArmor, "
      "SELinux, or the masked /proc of a container) forbids it",
      "if it is AppArmor: " + way_out_of_apparmor() +
          "; in a container: --security-opt apparmor=unconfined --security-opt "
          "systempaths=unconfined"};
}

}  // namespace

Error namespace_refusal(NamespaceStep step, const std::string& what, int error_number) {
  Error plain = fail_errno(error_number, what).value();
  const bool refused = error_number == EPERM || error_number == EACCES || error_number == ENOSPC ||
                       error_number == ENOSYS || error_number == EINVAL;
  if (!refused) return plain;
  const Cause cause =
      step == NamespaceStep::clone ? cause_of_clone(error_number) : cause_inside(step);
  return {ErrorCode::unavailable, plain.message + ": " + cause.why, cause.mend};
}

Error init_refusal(const std::string& what, int error_number) {
  for (const char* command :
       {"command not found", "interpreter not found", "command not executable"})
    if (what.starts_with(command))
      return {ErrorCode::not_found, what,
              "inside the sandbox only the host's system directories and the work directory (as "
              "/work) are visible"};
  if (what.starts_with("entering a Landlock domain"))
    return {ErrorCode::unavailable, what,
            "start the kernel with lsm=landlock,... (Linux 5.19 or newer); or take it as it is: "
            "--degrade"};
  if (what.starts_with("opening a file system: overlay") && error_number == ENODEV)
    return {ErrorCode::unavailable,
            "the kernel has no overlay file system, which isolation level container needs",
            "modprobe overlay"};
  if (what.starts_with("making namespaces"))
    return namespace_refusal(NamespaceStep::clone, what, error_number);
  // As root nothing stands in the way of these, but in a container whose capabilities are few.
  for (const char* step : {"bringing up", "making mounts private", "mounting", "creating a file",
                           "setting mount flags", "opening for a bind", "setting the host name"})
    if (what.starts_with(step) && (error_number == EPERM || error_number == EACCES))
      return namespace_refusal(NamespaceStep::capabilities, what, error_number);
  return fail_errno(error_number, what).value();
}

}  // namespace fabric
