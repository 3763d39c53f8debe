// SPDX-License-Identifier: Apache-2.0
#include "confine.hpp"

#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace fabric {

namespace {

constexpr const char* k_calls[] = {
    "read",    "write",          "pread64",      "lseek",        "close",        "fcntl",
    "openat",  "openat2",        "newfstatat",   "fstat",        "statx",        "getdents64",
    "mkdirat", "unlinkat",       "symlinkat",    "linkat",       "fchmod",       "fchmodat",
    "fchown",  "fchownat",       "utimensat",    "mknodat",      "sendmsg",      "recvmsg",
    "brk",     "mmap",           "munmap",       "mremap",       "mprotect",     "madvise",
    "futex",   "rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "getpid",       "gettid",
    "tgkill",  "getrandom",      "exit",         "exit_group",   "clock_gettime"};

Status limit() {
  const std::pair<__rlimit_resource, rlim_t> limits[] = {{RLIMIT_CORE, 0},
                                                         {RLIMIT_AS, rlim_t{2} << 30},
                                                         {RLIMIT_NOFILE, 1024},
                                                         {RLIMIT_FSIZE, rlim_t{64} << 30}};
  for (const auto& [which, value] : limits) {
    rlimit now{};
    if (::getrlimit(which, &now) != 0) return fail_errno(errno, "reading a limit");
    now.rlim_cur = now.rlim_max = std::min(value, now.rlim_max);
    if (::setrlimit(which, &now) != 0) return fail_errno(errno, "setting a limit");
  }
  return {};
}

// To write where the owner that a file just got may not, to change modes of it, and owners.
Status keep_capabilities(bool owners) {
  uint32_t kept = 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER;
  if (owners) kept |= 1U << CAP_CHOWN;
  for (int capability = 0; capability < 64; ++capability)
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL)
      return fail_errno(errno, "dropping a capability");
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  data[0].effective = data[0].permitted = kept;
  if (::syscall(SYS_capset, &header, data.data()) != 0)
    return fail_errno(errno, "dropping capabilities");
  return {};
}

Status filter_calls() {
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_KILL_PROCESS);
  bool good = filter != nullptr;
  for (const char* name : k_calls) {
    const int call = ::seccomp_syscall_resolve_name(name);
    good = good && call >= 0 && ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  }
  good = good && ::seccomp_load(filter) == 0;
  ::seccomp_release(filter);
  if (!good) return fail(ErrorCode::failed, "installing a system call filter");
  return {};
}

}  // namespace

Status confine(const Fd& root, bool owners) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::fchdir(root.get()) != 0 || ::chroot(".") != 0) return fail_errno(errno, "chroot");
  TRY_STATUS(limit());
  TRY_STATUS(keep_capabilities(owners));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "no_new_privs");
  return filter_calls();
}

}  // namespace fabric
