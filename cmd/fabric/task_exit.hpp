// SPDX-License-Identifier: Apache-2.0
// The exit code that stands for how a task ended.
#pragma once

#include "model/task.hpp"

namespace fabric::cmd {

// 0 completed; its own code or 128+n when it failed by one; 8 timed out; 1 otherwise.
int exit_code_of(const Task& task);

}  // namespace fabric::cmd
