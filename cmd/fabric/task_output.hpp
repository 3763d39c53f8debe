// SPDX-License-Identifier: Apache-2.0
// What a task wrote: log files .fabric/logs/AGENT/TASK.ATTEMPT.out and .err (no file: nothing was
// written, or the head in the store is the whole).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "config/workspace.hpp"
#include "model/task.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

enum class TaskStream : int { out, err };

std::string log_path(const config::Workspace& workspace, const Task& task, TaskStream stream);

// Takes pieces in order.
using Sink = std::function<Status(std::string_view piece)>;

// The whole of what its last attempt wrote to `stream`, in pieces.
Status read_output(const config::Workspace& workspace, const store::Store& store, const Task& task,
                   TaskStream stream, const Sink& sink);

// A sink to a standard stream of ours: bytes as they are, or made harmless when it is a terminal.
Sink standard_sink(int fd);

}  // namespace fabric::cmd
