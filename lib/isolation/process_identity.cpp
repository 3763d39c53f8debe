// SPDX-License-Identifier: Apache-2.0
#include "isolation/process_identity.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/process.hpp"

namespace fabric {

Result<Fd> open_process(pid_t pid, uint64_t start_time) {
  if (pid <= 0) return fail(ErrorCode::not_found, "no process is known");
  int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0 && errno == ESRCH) return fail(ErrorCode::not_found, "the process has ended");
  if (fd < 0) return fail_errno(errno, "opening process " + std::to_string(pid));
  Fd pidfd(fd);
  // The descriptor holds the pid: what /proc says from now on is about this very process, or
  // nothing.
  auto found = process_start_time(pid);
  if (!found || *found != start_time || signal_process(pidfd, 0).has_value() == false)
    return fail(ErrorCode::not_found, "the process has ended");
  return pidfd;
}

Status signal_process(const Fd& pidfd, int signal_number) {
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal_number, nullptr, 0) == 0) return {};
  if (errno == ESRCH && signal_number != 0) return {};
  return fail_errno(errno, "signalling fabric-init");
}

Status wait_for_end(const Fd& pidfd, Duration limit) {
  const MonoTime deadline = system_clock().monotonic() + limit;
  for (;;) {
    const int64_t left = (deadline - system_clock().monotonic()).to_millis();
    pollfd ask{pidfd.get(), POLLIN, 0};
    int ready = ::poll(&ask, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno(errno, "waiting for fabric-init");
    if (ready == 0) return fail(ErrorCode::timed_out, "fabric-init does not end");
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG);
    return {};
  }
}

}  // namespace fabric
