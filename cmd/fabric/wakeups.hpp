// SPDX-License-Identifier: Apache-2.0
// What a command that stays sleeps on: the store's bell, signals, keys, the reader of its output,
// and at most some time. Never polls. One thread.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

struct Wake {
  bool rang = false;         // something was committed since the last time
  int signal = 0;            // one of those asked for, or 0
  bool input = false;        // stdin has something to read
  bool output_gone = false;  // nobody reads stdout any more
  bool answer = false;       // the descriptor that was given has something to read
};

class Wakeups {
 public:
  // Blocks `signals` in this process; what is committed from now on is noticed.
  static Result<Wakeups> open(const store::Store& store, const std::vector<int>& signals);
  // Until something happens, or `patience` is over (then nothing in Wake is set). nullopt: for
  // ever. `answer`: of a supervisor that was asked something; -1: none.
  enum class Keys : bool { ignore, read };
  Result<Wake> wait(std::optional<Duration> patience, Keys keys = Keys::ignore, int answer = -1);

 private:
  Fd bell_, signals_;
};

}  // namespace fabric::cmd
