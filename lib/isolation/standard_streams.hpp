// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2 are lent to a command, and others use them after it: what it changed of
// the open files themselves is put back. Of a terminal that is done only for a command that died,
// since stty(1) is one too.
#pragma once

#include <termios.h>

#include <array>

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

}  // namespace fabric
