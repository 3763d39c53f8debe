// SPDX-License-Identifier: Apache-2.0
// How far many tasks are, on one line of a terminal.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.hpp"

namespace fabric::cmd {

struct WaitProgress {
  size_t total = 0;
  size_t ended = 0;
  size_t failed = 0;        // of those that ended
  size_t ended_before = 0;  // before the waiting began: they say nothing about the rate
  Duration elapsed;
};

// "[#####               ] 25 of 100, 2 failed, 5.0/s, 15.0s left". Pure.
std::string progress_line(const WaitProgress& progress);

}  // namespace fabric::cmd
