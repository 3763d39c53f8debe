// SPDX-License-Identifier: Apache-2.0
#include "model/task.hpp"

#include <array>

namespace fabric {
namespace {

constexpr std::array<std::string_view, k_priority_levels> k_priorities{"critical", "high", "normal",
                                                                       "low"};
constexpr std::array<std::string_view, k_task_states> k_states{"pending", "running",   "completed",
                                                               "failed",  "cancelled", "timed_out"};
constexpr std::array<std::string_view, 12> k_reasons{
    "",      "queued", "dependency", "exit", "signal",    "memory", "not_started",
    "error", "lost",   "timeout",    "user", "agent_gone"};

}  // namespace

std::string_view to_string(Priority priority) {
  return k_priorities[static_cast<size_t>(priority)];
}
std::string_view to_string(TaskState state) { return k_states[static_cast<size_t>(state)]; }
std::string_view to_string(Reason reason) { return k_reasons[static_cast<size_t>(reason)]; }

Result<Priority> parse_priority(std::string_view text) {
  for (size_t i = 0; i < k_priorities.size(); ++i)
    if (text == k_priorities[i]) return static_cast<Priority>(i);
  return fail(ErrorCode::usage, "unknown priority '" + std::string(text.substr(0, 40)) + "'",
              "use critical, high, normal or low");
}

Result<TaskState> parse_task_state(std::string_view text) {
  for (size_t i = 0; i < k_states.size(); ++i)
    if (text == k_states[i]) return static_cast<TaskState>(i);
  return fail(ErrorCode::usage, "unknown task state '" + std::string(text.substr(0, 40)) + "'",
              "use pending, running, completed, failed, cancelled or timed_out");
}

bool same_submission(const Task& a, const Task& b) {
  return a.id == b.id && a.agent == b.agent && a.type == b.type && a.payload == b.payload &&
         a.priority == b.priority && a.metadata == b.metadata && a.depends_on == b.depends_on &&
         a.timeout == b.timeout;
}

}  // namespace fabric
