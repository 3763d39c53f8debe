// SPDX-License-Identifier: Apache-2.0
#include <grp.h>
#include <sys/prctl.h>

#include "build.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

struct CapabilityHeader {
  uint32_t version;
  int pid;
};
struct CapabilityData {
  uint32_t effective, permitted, inheritable;
};

}  // namespace

void act_as(uint32_t uid) {
  // A raw call: musl would stop to synchronise threads that we do not have.
  if (syscall(SYS_setresuid, -1, uid, -1) < 0) refuse("changing the user", "for a while", errno);
}

void drop_privileges(const Spec& spec) {
  if (spec.has(wire::k_walls)) {
    // The bounding set first: it needs CAP_SETPCAP. EINVAL says that we are past the last one.
    for (int capability = 0; capability < 64; ++capability)
      if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
        if (errno == EINVAL) break;
        refuse("dropping the bounding set", "", errno);
      }
    if (spec.has(wire::k_change_user)) {
      // Raw calls: musl would stop to synchronise threads that we do not have.
      if (syscall(SYS_setgroups, 0, nullptr) < 0) refuse("dropping groups", "", errno);
      uint32_t gid = spec.head->gid;
      if (syscall(SYS_setresgid, gid, gid, gid) < 0) refuse("changing the group", "", errno);
      uint32_t uid = spec.head->uid;
      if (syscall(SYS_setresuid, uid, uid, uid) < 0) refuse("changing the user", "", errno);
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
      refuse("dropping ambient capabilities", "", errno);
    CapabilityHeader header{0x20080522, 0};
    CapabilityData none[2] = {};
    if (syscall(SYS_capset, &header, none) < 0) refuse("dropping capabilities", "", errno);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) refuse("setting no_new_privs", "", errno);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) refuse("becoming non-dumpable", "", errno);
}

}  // namespace fabric::init
