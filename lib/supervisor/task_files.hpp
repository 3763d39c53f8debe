// SPDX-License-Identifier: Apache-2.0
// The files of one attempt: its output under logs/AGENT/TASK.ATTEMPT.out and .err (0600, raw), and
// its input. Empty output leaves no file.
#pragma once

#include <string>
#include <vector>

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

// Files that an attempt left empty, for the next one: most tasks print little, and renaming a file
// costs a fifth of making and removing one. Removes what is left at its end. One thread.
class SpareFiles {
 public:
  explicit SpareFiles(const config::Workspace& workspace) : workspace_(workspace) {}
  SpareFiles(const SpareFiles&) = delete;
  SpareFiles& operator=(const SpareFiles&) = delete;
  ~SpareFiles();

  // Files of `task`, by name: spare ones renamed, or new ones.
  Result<TaskFiles> open(const Task& task);
  // After the end of an attempt: keeps those that are empty.
  void keep_empty(const Task& task, TaskFiles files, const Outcome& outcome);

 private:
  struct Spare {
    std::string path;
    Fd file;
  };
  Result<Fd> open_one(const std::string& path);

  const config::Workspace& workspace_;
  std::vector<Spare> spares_;
};
// What a worker logs goes where a process's stderr would.
Result<Fd> open_error_file(const config::Workspace& workspace, const Task& task);
// The first k_result_head bytes.
TaskResult read_head(const Fd& output, uint64_t size);
// A sealed memory file with `bytes`, at its start.
Result<Fd> input_file(std::string_view bytes);

std::string output_path(const config::Workspace& workspace, const Task& task);
std::string error_path(const config::Workspace& workspace, const Task& task);

}  // namespace fabric
