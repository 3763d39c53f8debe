// SPDX-License-Identifier: Apache-2.0
// Who may write: a POSIX record lock on .fabric/run/owner (fcntl(2), F_SETLK). The supervisor holds
// it exclusively for life; a direct command holds it shared for one transaction, with stop signals
// blocked so that a stopped shell cannot keep a supervisor out. The kernel drops the lock when its
// process dies, however it dies.
//
// POSIX record locks belong to the process and vanish when it closes ANY descriptor of the file: so
// one Ownership a process, and nobody else opens run/owner.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric::store {

class Ownership {
 public:
  enum class Kind { shared, exclusive };
  // nullopt: somebody else holds it (for shared: a supervisor lives; for exclusive: a supervisor or
  // a direct command). Waits at most `patience` (0: not at all).
  static Result<std::optional<Ownership>> acquire(const std::string& path, Kind kind,
                                                  Duration patience);
  // The process that holds it exclusively (the living supervisor), without taking it.
  static Result<std::optional<pid_t>> holder(const std::string& path);

  Ownership(Ownership&&) noexcept;
  Ownership& operator=(Ownership&&) noexcept;
  ~Ownership();

 private:
  explicit Ownership(Fd file, Kind kind);
  Fd file_;
  bool signals_blocked_ = false;
  sigset_t saved_signals_{};
};

}  // namespace fabric::store
