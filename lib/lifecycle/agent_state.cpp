// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/agent_state.hpp"

namespace fabric {

std::optional<AgentState> next_state(AgentState from, AgentEvent event) {
  for (const AgentTransition& t : k_agent_transitions)
    if (t.from == from && t.event == event) return t.to;
  return std::nullopt;
}

std::string_view to_string(AgentEvent event) {
  switch (event) {
    case AgentEvent::start:
      return "start";
    case AgentEvent::sandbox_ready:
      return "sandbox_ready";
    case AgentEvent::sandbox_failed:
      return "sandbox_failed";
    case AgentEvent::sandbox_lost:
      return "sandbox_lost";
    case AgentEvent::give_up:
      return "give_up";
    case AgentEvent::terminate:
      return "terminate";
    case AgentEvent::down:
      return "down";
  }
  return "";
}

}  // namespace fabric
