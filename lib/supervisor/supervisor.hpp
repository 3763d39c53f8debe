// SPDX-License-Identifier: Apache-2.0
// The supervisor of one workspace: takes the ownership lock for life, adopts what an earlier one
// left running, serves the control socket, runs tasks in sandboxes. Three threads with queues
// between them: I/O (this one; epoll), store (whole transactions, group commit), launcher
// (sandboxes).
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"
#include "config/workspace.hpp"

namespace fabric {

struct SupervisorOptions {
  std::string init_binary;  // path of fabric-init
  std::string version;
  // Called once, when the control socket serves and adoption is done.
  std::function<void()> on_ready;
};

// Runs until `down` or a stop signal (SIGTERM, SIGINT: as `down`). The agents' processes end with
// it; after a crash they live on and the next run adopts them. Fails with ErrorCode::failed when
// another supervisor holds the workspace.
Status run_supervisor(const config::Workspace& workspace, const SupervisorOptions& options);

}  // namespace fabric
