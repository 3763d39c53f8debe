// SPDX-License-Identifier: Apache-2.0
// Signalling and awaiting exactly the process that is meant, never another that got its pid.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// A pidfd of exactly that process. not_found when it is gone or its pid belongs to another now.
Result<Fd> open_process(pid_t pid, uint64_t start_time);
// SIGKILL or another signal through the pidfd; a process that is gone is no error.
Status signal_process(const Fd& pidfd, int signal_number);
// Until it has ended; reaps it when it is our child. timed_out after `limit`.
Status wait_for_end(const Fd& pidfd, Duration limit);

}  // namespace fabric
