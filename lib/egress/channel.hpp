// SPDX-License-Identifier: Apache-2.0
// One direction of a connection that is passed on: bytes go from socket to socket through a pipe
// (splice(2)), never through our memory. A pipe is only held while bytes are in it, so that waiting
// connections cost two descriptors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.hpp"

namespace fabric::egress {

struct Pipe {
  Fd read, write;
  bool small = false;  // there was no room for a big one
};

// Pipes that are not in use. One thread.
class PipePool {
 public:
  // An invalid one when the process has no descriptors left.
  Pipe take();
  void give(Pipe pipe);  // empty

 private:
  std::vector<Pipe> free_;
};

class Channel {
 public:
  enum class Outcome : uint8_t {
    waiting,   // for either socket
    again,     // the budget is spent, there may be more
    finished,  // the end was passed on
    failed,    // errno of the call is in error()
  };
  Channel();
  // Goes out before what is read from now on.
  void prepend(std::string bytes) { ahead_ += bytes; }
  [[nodiscard]] bool holds_bytes() const { return !ahead_.empty() || in_pipe_ > 0; }
  [[nodiscard]] size_t ahead() const { return ahead_.size(); }
  // Reads at most `budget` bytes. `moved` grows by what went out.
  Outcome pump(PipePool& pool, int from, int to, size_t& budget, uint64_t& moved);
  // Only sends what is held.
  Outcome flush(int to, uint64_t& moved);
  // There is nothing more to read; what is held still goes out.
  void end() { ended_ = true; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] int error() const { return error_; }

 private:
  Outcome fail(int error);
  Outcome finish(int to);
  std::string ahead_;
  Pipe pipe_;
  size_t in_pipe_ = 0;
  size_t
      piece_;  // read at once: grows while the receiver keeps up, for what it does not take stays
  bool ended_ = false, finished_ = false;
  int error_ = 0;
};

}  // namespace fabric::egress
