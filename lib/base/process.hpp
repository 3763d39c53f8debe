// SPDX-License-Identifier: Apache-2.0
// Who a process is: a pid alone is reused; with its start time and the boot it is unique.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace fabric {

// Field 22 of /proc/PID/stat (proc(5)): clock ticks since boot. not_found when there is no such
// pid.
Result<uint64_t> process_start_time(pid_t pid);
// /proc/sys/kernel/random/boot_id, without the newline.
Result<std::string> boot_id();

}  // namespace fabric
