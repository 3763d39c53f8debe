// SPDX-License-Identifier: Apache-2.0
// The payload that an agent is given: references to results of other tasks are replaced
// (model/references.hpp).
#pragma once

#include <string>

#include "base/result.hpp"
#include "store/store.hpp"

namespace fabric {

// ErrorCode::usage when a reference leads nowhere: the task cannot run.
Result<std::string> expand_task_references(const store::ReadTxn& txn, const Task& task);

}  // namespace fabric
