// SPDX-License-Identifier: Apache-2.0
#include "fabric/wakeups.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace fabric::cmd {

Result<Wakeups> Wakeups::open(const store::Store& store, const std::vector<int>& signals) {
  Wakeups wakeups;
  wakeups.bell_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!wakeups.bell_) return fail_errno(errno, "inotify_init1");
  if (::inotify_add_watch(wakeups.bell_.get(), store.bell_path().c_str(), IN_MODIFY) < 0)
    return fail_errno(errno, "watching " + store.bell_path());
  if (signals.empty()) return wakeups;
  sigset_t set;
  ::sigemptyset(&set);
  for (int signal : signals) ::sigaddset(&set, signal);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno(errno, "sigprocmask");
  wakeups.signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!wakeups.signals_) return fail_errno(errno, "signalfd");
  return wakeups;
}

Result<Wake> Wakeups::wait(std::optional<Duration> patience, Keys keys, int answer) {
  // Of stdout nothing is asked: an error is told all the same.
  std::array<pollfd, 5> fds{{{bell_.get(), POLLIN, 0},
                             {signals_.get(), POLLIN, 0},
                             {STDOUT_FILENO, 0, 0},
                             {keys == Keys::read ? STDIN_FILENO : -1, POLLIN, 0},
                             {answer, POLLIN, 0}}};
  int timeout = -1;
  if (patience)
    timeout = static_cast<int>(std::clamp<int64_t>((patience->ns + 999999) / 1000000, 0, 3600000));
  if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR)
    return fail_errno(errno, "poll");
  Wake wake;
  alignas(inotify_event) std::array<char, 4096> events{};
  while (::read(bell_.get(), events.data(), events.size()) > 0) wake.rang = true;
  signalfd_siginfo info{};
  if (signals_.valid() && ::read(signals_.get(), &info, sizeof info) == sizeof info)
    wake.signal = static_cast<int>(info.ssi_signo);
  wake.output_gone = (fds[2].revents & (POLLERR | POLLNVAL)) != 0;
  wake.input = (fds[3].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
  wake.answer = fds[4].revents != 0;
  return wake;
}

}  // namespace fabric::cmd
