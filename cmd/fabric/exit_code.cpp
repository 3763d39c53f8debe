// SPDX-License-Identifier: Apache-2.0
#include "fabric/exit_code.hpp"

#include "fabric/output.hpp"

namespace fabric::cmd {

namespace {

constexpr int k_refused = 125;           // of commands that give a task's exit code
constexpr int k_broken_pipe_exit = 141;  // 128 + SIGPIPE

}  // namespace

int exit_code(const Error& error, const Command* command) {
  print_error(error);
  if (error.hint == k_broken_pipe) return k_broken_pipe_exit;
  if (command && command->gives_task_code && error.code != ErrorCode::interrupted) return k_refused;
  return static_cast<int>(error.code);
}

}  // namespace fabric::cmd
