// SPDX-License-Identifier: Apache-2.0
// Dependencies among the tasks of one batch. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.hpp"
#include "model/task.hpp"

namespace fabric {

// The order in which tasks of a batch can be added: a task after those it depends on, otherwise as
// submitted. A cycle is a usage error that prints it: "dependency cycle: a -> b -> a".
Result<std::vector<size_t>> order_by_dependency(const std::vector<Task>& tasks);

}  // namespace fabric
