// SPDX-License-Identifier: Apache-2.0
// Telling a process from another that got its pid: boot id and start time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

Result<std::string> read_boot_id();
// Field 22 of the text of /proc/<pid>/stat; the command name in it may contain anything.
Result<uint64_t> parse_start_time(std::string_view stat);
Result<uint64_t> read_start_time(pid_t pid);

// A pidfd of exactly that process. not_found when it is gone or its pid belongs to another now.
Result<Fd> open_process(pid_t pid, uint64_t start_time);
// SIGKILL or another signal through the pidfd; a process that is gone is no error.
Status signal_process(const Fd& pidfd, int signal_number);
// Until it has ended; reaps it when it is our child. timed_out after `limit`.
Status wait_for_end(const Fd& pidfd, Duration limit);

}  // namespace fabric
