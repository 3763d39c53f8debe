// SPDX-License-Identifier: Apache-2.0
// Follows one task to its end: its output as it is written, its state as it changes. Sleeps on
// inotify (the store's bell and the log files) and on signals; never polls by time. One thread.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "config/workspace.hpp"
#include "fabric/task_output.hpp"
#include "model/task.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

struct FollowOptions {
  Sink out;  // empty: that stream is not wanted
  Sink err;
  // Called for each signal of `signals`, with the store closed (see open_store); the second one
  // ends following at once (ErrorCode::interrupted).
  std::vector<int> signals;
  std::function<Status(int signal)> on_signal;
};

class Follower {
 public:
  // Blocks options.signals in this thread for its lifetime.
  static Result<Follower> open(const config::Workspace& workspace, const std::string& task_id,
                               FollowOptions options);
  // Returns the task once it has ended and all its output was handed on.
  Result<Task> run();

  Follower(Follower&&) = default;
  Follower& operator=(Follower&&) = delete;
  ~Follower() = default;

 private:
  struct Stream {
    TaskStream which = TaskStream::out;
    Sink* sink = nullptr;
    Fd file;
    uint64_t handed_on = 0;
    uint32_t attempt = 0;
  };
  Follower(config::Workspace workspace, FollowOptions options);
  Status watch(const std::string& path, uint32_t events);
  Status look();
  Status copy(Stream& stream);
  Status finish(Stream& stream);
  Status sleep();
  Status take_signal();

  config::Workspace workspace_;
  FollowOptions options_;
  std::optional<store::Store> store_;
  Task task_;
  Fd inotify_;
  Fd signals_;
  int signals_seen_ = 0;
};

}  // namespace fabric::cmd
