// SPDX-License-Identifier: Apache-2.0
#include "model/agent.hpp"

#include <array>

namespace fabric {
namespace {
constexpr std::array<std::string_view, 6> k_agent_states{"starting", "ready",   "busy",
                                                         "stopping", "stopped", "failed"};
}

std::string_view to_string(AgentKind kind) { return kind == AgentKind::exec ? "exec" : "worker"; }

Result<AgentKind> parse_agent_kind(std::string_view text) {
  if (text == "exec") return AgentKind::exec;
  if (text == "worker") return AgentKind::worker;
  return fail(ErrorCode::usage, "unknown agent kind '" + std::string(text.substr(0, 40)) + "'",
              "use exec or worker");
}

std::string_view to_string(AgentState state) { return k_agent_states[static_cast<size_t>(state)]; }

Result<AgentState> parse_agent_state(std::string_view text) {
  for (size_t i = 0; i < k_agent_states.size(); ++i)
    if (text == k_agent_states[i]) return static_cast<AgentState>(i);
  return fail(ErrorCode::usage, "unknown agent state '" + std::string(text.substr(0, 40)) + "'",
              "use starting, ready, busy, stopping, stopped or failed");
}

std::string_view to_string(Health health) {
  switch (health) {
    case Health::unknown:
      return "unknown";
    case Health::healthy:
      return "healthy";
    case Health::unhealthy:
      return "unhealthy";
  }
  return "unknown";
}

uint64_t& TaskCounts::of(TaskState state) {
  switch (state) {
    case TaskState::pending:
      return pending;
    case TaskState::running:
      return running;
    case TaskState::completed:
      return completed;
    case TaskState::failed:
      return failed;
    case TaskState::cancelled:
      return cancelled;
    case TaskState::timed_out:
      return timed_out;
  }
  return pending;
}

uint64_t TaskCounts::of(TaskState state) const { return TaskCounts(*this).of(state); }

uint64_t TaskCounts::total() const {
  return pending + running + completed + failed + cancelled + timed_out;
}

}  // namespace fabric
