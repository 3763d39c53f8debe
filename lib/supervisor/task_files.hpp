// SPDX-License-Identifier: Apache-2.0
// The files of one attempt: its output under logs/AGENT/TASK.ATTEMPT.out and .err (0600, raw), and
// its input. Empty output leaves no file.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "config/workspace.hpp"
#include "model/task.hpp"
#include "scheduler/agent_scheduler.hpp"

namespace fabric {

struct TaskFiles {
  Fd output;
  Fd error;
};
// Opens, making what is not there.
Result<TaskFiles> open_task_files(const config::Workspace& workspace, const Task& task);
// What a worker logs goes where a process's stderr would.
Result<Fd> open_error_file(const config::Workspace& workspace, const Task& task);
// Removes those that are empty.
void remove_empty_files(const config::Workspace& workspace, const Task& task,
                        const Outcome& outcome);
// The first k_result_head bytes.
TaskResult read_head(const Fd& output, uint64_t size);
// A sealed memory file with `bytes`, at its start.
Result<Fd> input_file(std::string_view bytes);

std::string output_path(const config::Workspace& workspace, const Task& task);
std::string error_path(const config::Workspace& workspace, const Task& task);

}  // namespace fabric
