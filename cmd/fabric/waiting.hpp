// SPDX-License-Identifier: Apache-2.0
// Waiting for tasks to end, on the store's own bell: no polling, across crashes of the supervisor.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/workspace.hpp"
#include "model/task.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

// The tasks in the order of the ids, all in a terminal state. not_found when one does not exist;
// timed_out after `patience` (0: never). Says on stderr when no supervisor runs that could end
// them.
Result<std::vector<Task>> wait_for_tasks(const config::Workspace& workspace,
                                         const store::Store& store,
                                         const std::vector<std::string>& ids, Duration patience);

}  // namespace fabric::cmd
