// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2 are lent to a command, and others use them after it: what it changed of
// the open files themselves is put back. Of a terminal that is done only for a command that died,
// since stty(1) is one too.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <array>
#include <cstdint>

#include "isolation/mount_plan.hpp"

namespace fabric {

class StandardStreams {
 public:
  explicit StandardStreams(bool terminal);
  ~StandardStreams();
  StandardStreams(const StandardStreams&) = delete;
  StandardStreams& operator=(const StandardStreams&) = delete;

  void command_died() { died_ = true; }

 private:
  std::array<int, 3> flags_{};  // -1: not open
  termios terminal_{};
  bool has_terminal_ = false, died_ = false;
};

// The terminal's foreground goes to the command, and comes back.
class Foreground {
 public:
  explicit Foreground(bool wanted);
  ~Foreground();
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;

 private:
  pid_t group_;
};

// So that /dev/stderr and its like can be opened, as scripts do: a pipe belongs to who made it, and
// is handed over as runc does. Other files keep their owners, whose modes decide.
void hand_over_pipes(uint32_t uid);
// Who is somebody else can open the caller's terminal by the name that it has inside for everybody,
// and not by that of the host: /dev/stdin and its like become that name in `plan`.
void name_own_terminal(MountPlan& plan);

}  // namespace fabric
