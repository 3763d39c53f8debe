// SPDX-License-Identifier: Apache-2.0
// What the end of a process means for its task. Pure.
#pragma once

#include "isolation/init_connection.hpp"
#include "model/agent.hpp"
#include "scheduler/agent_scheduler.hpp"

namespace fabric {

Outcome outcome_of(const AttemptExit& exit, const Task& task, const AgentDefinition& definition);

}  // namespace fabric
