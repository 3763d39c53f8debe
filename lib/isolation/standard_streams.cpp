// SPDX-License-Identifier: Apache-2.0
#include "isolation/standard_streams.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <utility>

namespace fabric {

StandardStreams::StandardStreams(bool terminal) {
  for (int fd = 0; fd < 3; ++fd) flags_[static_cast<size_t>(fd)] = ::fcntl(fd, F_GETFL);
  has_terminal_ = terminal && ::tcgetattr(0, &terminal_) == 0;
}

StandardStreams::~StandardStreams() {
  for (int fd = 0; fd < 3; ++fd) {
    const int before = flags_[static_cast<size_t>(fd)];
    if (before >= 0 && ::fcntl(fd, F_GETFL) != before) ::fcntl(fd, F_SETFL, before);
  }
  if (has_terminal_ && died_) ::tcsetattr(0, TCSADRAIN, &terminal_);
}

Foreground::Foreground(bool wanted) : group_(wanted ? ::tcgetpgrp(0) : -1) {}

Foreground::~Foreground() {
  if (group_ < 0) return;
  sigset_t all, before;
  ::sigfillset(&all);  // SIGTTOU is sent to who does this from the background
  ::sigprocmask(SIG_SETMASK, &all, &before);
  ::tcsetpgrp(0, group_);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

void hand_over_pipes(uint32_t uid) {
  for (int fd : {0, 1, 2}) {
    struct statfs system {};
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode) || status.st_uid == uid) continue;
    const bool ours = ::fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC;
    if (ours && ::fchown(fd, uid, static_cast<gid_t>(-1)) != 0) return;
  }
}

void name_own_terminal(MountPlan& plan) {
  struct stat terminal {
  }, other{};
  if (::fstat(0, &terminal) != 0) return;
  const std::pair<const char*, int> all[] = {
      {"dev/stdin", 0}, {"dev/stdout", 1}, {"dev/stderr", 2}};
  for (MountStep& step : plan)
    for (const auto& [name, fd] : all)
      if (step.target == name && ::fstat(fd, &other) == 0 && other.st_rdev == terminal.st_rdev)
        step.source = "/dev/tty";
}

}  // namespace fabric
