// SPDX-License-Identifier: Apache-2.0
// The state machine of an agent, as a table. `busy` is not stored: it is `ready` with running
// tasks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/agent.hpp"

namespace fabric {

enum class AgentEvent : uint8_t {
  start,           // a supervisor begins to make its sandbox
  sandbox_ready,   // the walls stand and commands are accepted
  sandbox_failed,  // it could not be made
  sandbox_lost,    // it died by itself
  give_up,         // it died too often
  terminate,       // a person asked for its end
  down,            // the supervisor stops in order
};

struct AgentTransition {
  AgentState from;
  AgentEvent event;
  AgentState to;
};

// Every transition there is; what is not listed does not happen.
constexpr std::array<AgentTransition, 16> k_agent_transitions{{
    {AgentState::starting, AgentEvent::start, AgentState::starting},
    {AgentState::starting, AgentEvent::sandbox_ready, AgentState::ready},
    {AgentState::starting, AgentEvent::sandbox_failed, AgentState::failed},
    {AgentState::starting, AgentEvent::give_up, AgentState::failed},
    {AgentState::starting, AgentEvent::terminate, AgentState::stopping},
    {AgentState::starting, AgentEvent::down, AgentState::stopped},
    {AgentState::ready, AgentEvent::start, AgentState::starting},
    {AgentState::ready, AgentEvent::sandbox_lost, AgentState::starting},
    {AgentState::ready, AgentEvent::give_up, AgentState::failed},
    {AgentState::ready, AgentEvent::terminate, AgentState::stopping},
    {AgentState::ready, AgentEvent::down, AgentState::stopped},
    {AgentState::stopped, AgentEvent::start, AgentState::starting},
    {AgentState::stopped, AgentEvent::terminate, AgentState::stopping},
    {AgentState::failed, AgentEvent::start, AgentState::starting},
    {AgentState::failed, AgentEvent::terminate, AgentState::stopping},
    {AgentState::stopping, AgentEvent::terminate, AgentState::stopping},
}};

std::optional<AgentState> next_state(AgentState from, AgentEvent event);
std::string_view to_string(AgentEvent event);

}  // namespace fabric
