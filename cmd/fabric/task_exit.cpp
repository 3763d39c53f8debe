// SPDX-License-Identifier: Apache-2.0
#include "fabric/task_exit.hpp"

namespace fabric::cmd {

int exit_code_of(const Task& task) {
  switch (task.state) {
    case TaskState::completed:
      return 0;
    case TaskState::timed_out:
      return static_cast<int>(ErrorCode::timed_out);
    case TaskState::failed:
      if (task.signal) return 128 + *task.signal;
      if (task.exit_code && *task.exit_code != 0) return *task.exit_code;
      break;
    case TaskState::pending:
    case TaskState::running:
    case TaskState::cancelled:
      break;
  }
  return static_cast<int>(ErrorCode::failed);
}

}  // namespace fabric::cmd
