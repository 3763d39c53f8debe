// SPDX-License-Identifier: Apache-2.0
// What the kernel itself says about this process, read back after everything was dropped. A bug
// above must show here as a refusal, not as an agent with privileges.
#include <sys/prctl.h>

#include "build.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

void check_capabilities() {
  struct {
    uint32_t version;
    int pid;
  } header{0x20080522, 0};
  struct {
    uint32_t effective, permitted, inheritable;
  } data[2] = {};
  if (syscall(SYS_capget, &header, data) < 0) refuse("checking capabilities", "", errno);
  for (const auto& part : data)
    if ((part.effective | part.permitted | part.inheritable) != 0)
      refuse("checking capabilities", "some remain", EPERM);
  for (int capability = 0; capability < 64; ++capability) {
    int bound = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (bound < 0) break;
    if (bound > 0) refuse("checking the bounding set", "some remain", EPERM);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) > 0)
      refuse("checking ambient capabilities", "some remain", EPERM);
  }
}

}  // namespace

void self_check(const Spec& spec) {
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) refuse("checking no_new_privs", "", EPERM);
  if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) refuse("checking dumpable", "", EPERM);
  if (!spec.has(wire::k_walls)) return;
  check_capabilities();
  uint32_t real = 0, effective = 0, saved = 0;
  syscall(SYS_getresuid, &real, &effective, &saved);
  if (real != spec.head->uid || effective != real || saved != real ||
      (real == 0 && !spec.has(wire::k_container)))
    refuse("checking the user id", "", EPERM);
  if (getpid() != 1) refuse("checking the pid namespace", "", EPERM);
  if (spec.has(wire::k_container)) return check_ids(spec);
  if (open("/", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600) >= 0)
    refuse("checking the root", "writable", EPERM);
}

}  // namespace fabric::init
