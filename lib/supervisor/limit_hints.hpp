// SPDX-License-Identifier: Apache-2.0
// Limits that an attempt ran into beside what it ended of: perhaps why it failed or was slow. Pure.
#pragma once

#include <string>
#include <vector>

#include "isolation/init_connection.hpp"
#include "model/agent.hpp"
#include "model/task.hpp"

namespace fabric {

// Each with the limit, and how much it was.
std::vector<std::string> limit_hints(const AttemptExit& exit, const AgentDefinition& definition,
                                     Reason reason, TaskState state);

}  // namespace fabric
