// SPDX-License-Identifier: Apache-2.0
// What becomes of the output of tasks on the disk: logs/AGENT/TASK.ATTEMPT.out and .err.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "config/workspace.hpp"
#include "scheduler/retention.hpp"
#include "store/store.hpp"

namespace fabric {

struct LogsRemoved {
  uint64_t files = 0, bytes = 0;
};

// Of tasks that are no more.
LogsRemoved remove_logs(const config::Workspace& workspace,
                        const std::vector<Collected::Logs>& logs);
// Removes files of unknown tasks (left when a process died between the commit and the removal),
// then the oldest of tasks that have ended, until all together have at most `most_bytes` (0: no
// limit). What a running task writes stays. Looks only, when `dry_run`.
Result<LogsRemoved> trim_logs(const config::Workspace& workspace, const store::Store& store,
                              uint64_t most_bytes, bool dry_run);

}  // namespace fabric
