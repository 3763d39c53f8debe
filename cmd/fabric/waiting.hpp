// SPDX-License-Identifier: Apache-2.0
// Waiting for tasks to end, on the store's own bell and its events: no polling, across crashes of
// the supervisor, and what a look costs does not depend on how many tasks are waited for.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/workspace.hpp"
#include "model/task.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

enum class WaitFor : uint8_t {
  all,            // until all have ended
  any,            // until one has
  first_failure,  // until one has ended without completing, or all have ended
};

struct WaitOptions {
  std::vector<std::string> ids;
  std::string group;  // and all tasks of this group, as far as it is there; "": none
  WaitFor what = WaitFor::all;
  Duration patience;  // 0: for ever
};

struct Waited {
  struct Ended {
    uint64_t sequence = 0;
    std::string id;
    TaskState state = TaskState::pending;
    int exit_code = 0;
    WallTime finished_at;
  };
  // In the order of the ids; with `any`, and when one has failed with `first_failure`: that one.
  std::vector<Ended> tasks;
  int exit_code = 0;  // of the first of them that did not complete
};

// not_found when a task or the group does not exist; timed_out when the patience is over. Says on
// stderr when no supervisor runs that could end them; shows progress on a terminal.
Result<Waited> wait_for_tasks(const config::Workspace& workspace, const store::Store& store,
                              const WaitOptions& options);

}  // namespace fabric::cmd
