// SPDX-License-Identifier: Apache-2.0
#include "confine.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/fd.hpp"

namespace fabric::egress {
namespace {

// Everything that getaddrinfo(3), epoll, splice(2) and the C library's memory and threads call.
// No new program, no new thread, no file written, no other process touched.
constexpr const char* k_calls[] = {"read",
                                   "write",
                                   "readv",
                                   "writev",
                                   "pread64",
                                   "lseek",
                                   "close",
                                   "close_range",
                                   "dup",
                                   "fcntl",
                                   "ioctl",
                                   "poll",
                                   "ppoll",
                                   "select",
                                   "pselect6",
                                   "epoll_wait",
                                   "epoll_pwait",
                                   "epoll_pwait2",
                                   "epoll_ctl",
                                   "eventfd2",
                                   "pipe2",
                                   "splice",
                                   "openat",
                                   "open",
                                   "newfstatat",
                                   "stat",
                                   "lstat",
                                   "fstat",
                                   "statx",
                                   "access",
                                   "faccessat",
                                   "faccessat2",
                                   "readlink",
                                   "readlinkat",
                                   "getdents64",
                                   "getcwd",
                                   "socket",
                                   "connect",
                                   "bind",
                                   "listen",
                                   "accept",
                                   "accept4",
                                   "shutdown",
                                   "getsockname",
                                   "getpeername",
                                   "getsockopt",
                                   "setsockopt",
                                   "sendto",
                                   "recvfrom",
                                   "sendmsg",
                                   "recvmsg",
                                   "sendmmsg",
                                   "recvmmsg",
                                   "brk",
                                   "mmap",
                                   "munmap",
                                   "mremap",
                                   "mprotect",
                                   "madvise",
                                   "mlock",
                                   "munlock",
                                   "futex",
                                   "futex_waitv",
                                   "rseq",
                                   "set_robust_list",
                                   "membarrier",
                                   "sched_yield",
                                   "sched_getaffinity",
                                   "nanosleep",
                                   "clock_nanosleep",
                                   "clock_gettime",
                                   "clock_getres",
                                   "gettimeofday",
                                   "time",
                                   "getrandom",
                                   "getpid",
                                   "gettid",
                                   "getuid",
                                   "geteuid",
                                   "getgid",
                                   "getegid",
                                   "getrusage",
                                   "prlimit64",
                                   "uname",
                                   "sysinfo",
                                   "rt_sigaction",
                                   "rt_sigprocmask",
                                   "rt_sigreturn",
                                   "sigaltstack",
                                   "restart_syscall",
                                   "tgkill",
                                   "exit",
                                   "exit_group"};

Status become(uid_t user) {
  for (int cap = 0; cap <= 63; ++cap)
    if (::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL)
      return fail_errno(errno, "dropping a capability");
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
      ::setresuid(user, user, user) != 0)
    return fail_errno(errno, "becoming uid " + std::to_string(user));
  return {};
}

Status drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (::syscall(SYS_capset, &header, data) != 0) return fail_errno(errno, "dropping capabilities");
  return {};
}

void allow_reading(int ruleset, const std::string& path) {
  const Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return;
  const bool directory = std::filesystem::is_directory(path);
  landlock_path_beneath_attr rule{};
  rule.allowed_access =
      LANDLOCK_ACCESS_FS_READ_FILE | (directory ? LANDLOCK_ACCESS_FS_READ_DIR : 0U);
  rule.parent_fd = fd.get();
  ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

Status restrict_files(const ProgramOptions& options) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) {
    std::fputs("fabric-egress: this kernel has no Landlock: files are kept by their modes\n",
               stderr);
    return {};
  }
  uint64_t rights = (uint64_t{1} << 13) - 1;  // ABI 1
  if (abi >= 2) rights |= uint64_t{1} << 13;
  if (abi >= 3) rights |= uint64_t{1} << 14;
  const Fd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rights, sizeof rights, 0)));
  if (!ruleset) return fail_errno(errno, "making a Landlock ruleset");
  for (const char* path : {"/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve",
                           "/run/resolvconf", "/run/NetworkManager", "/dev/null", "/dev/urandom"})
    allow_reading(ruleset.get(), path);
  for (const std::string& path : {options.hosts, options.authorities})
    // The directory: a file that is written anew and renamed is still to be found.
    if (!path.empty())
      allow_reading(ruleset.get(), std::filesystem::absolute(path).parent_path().string());
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return fail_errno(errno, "entering the Landlock domain");
  return {};
}

}  // namespace

Status give_up_rights(const ProgramOptions& options) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (options.user) TRY_STATUS(become(*options.user));
  TRY_STATUS(drop_capabilities());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "no_new_privs");
  // After the change of identity, which makes a process dumpable or not as it likes (prctl(2)).
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno(errno, "PR_SET_DUMPABLE");
  return restrict_files(options);
}

Status give_up_calls() {
  const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return fail(ErrorCode::failed, "making a system call filter");
  int error = ::seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  ::seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const char* name : k_calls) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number >= 0 && error == 0) error = ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
  }
  if (error == 0) error = ::seccomp_load(filter);
  ::seccomp_release(filter);
  return error == 0 ? Status{} : fail_errno(-error, "installing the system call filter");
}

}  // namespace fabric::egress
