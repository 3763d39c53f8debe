// SPDX-License-Identifier: Apache-2.0
// What the end of a process means for its task. Pure.
#pragma once

#include "isolation/init_connection.hpp"
#include "model/agent.hpp"
#include "scheduler/agent_scheduler.hpp"

namespace fabric {

// How long an attempt may run that starts now, and which limit that is (timeout or deadline). A
// duration of 0: no limit.
struct RunLimit {
  Duration duration;
  Reason which = Reason::none;
};
RunLimit run_limit(const Task& task, const AgentDefinition& definition, WallTime started_at);
// It ran into that limit.
Outcome over_limit(const Task& task, const AgentDefinition& definition);

Outcome outcome_of(const AttemptExit& exit, const Task& task, const AgentDefinition& definition);

}  // namespace fabric
