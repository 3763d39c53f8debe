// SPDX-License-Identifier: Apache-2.0
#include "model/agent.hpp"

#include <algorithm>
#include <array>

namespace fabric {
namespace {
constexpr std::array<std::string_view, 6> k_agent_states{"starting", "ready",   "busy",
                                                         "stopping", "stopped", "failed"};
constexpr std::array<std::string_view, 3> k_kinds{"exec", "worker", "external"};
}  // namespace

std::string_view to_string(AgentKind kind) { return k_kinds[static_cast<size_t>(kind)]; }

Result<AgentKind> parse_agent_kind(std::string_view text) {
  for (size_t i = 0; i < k_kinds.size(); ++i)
    if (text == k_kinds[i]) return static_cast<AgentKind>(i);
  return fail(ErrorCode::usage, "unknown agent kind '" + std::string(text.substr(0, 40)) + "'",
              "use exec, worker or external");
}

bool satisfies(const AgentDefinition& agent, const Requirements& requirements) {
  return std::all_of(requirements.begin(), requirements.end(), [&](const auto& requirement) {
    const auto& [key, value] = requirement;
    if (key == "tool")
      return std::find(agent.tools.begin(), agent.tools.end(), value) != agent.tools.end();
    if (key == "model") return agent.model == value;
    if (key == "pool") return agent.pool == value;
    return std::find(agent.labels.begin(), agent.labels.end(), requirement) != agent.labels.end();
  });
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
