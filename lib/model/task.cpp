// SPDX-License-Identifier: Apache-2.0
#include "model/task.hpp"

#include <array>

namespace fabric {
namespace {

constexpr std::array<std::string_view, k_task_states> k_states{"pending", "running",   "completed",
                                                               "failed",  "cancelled", "timed_out"};
constexpr std::array<std::string_view, static_cast<size_t>(k_last_reason) + 1> k_reasons{
    "",         "queued",      "dependency", "exit",      "signal",     "memory",     "not_started",
    "error",    "lost",        "timeout",    "user",      "agent_gone", "not_before", "exclusive",
    "deadline", "no_progress", "queue_ttl",  "reference", "disk",       "file_size"};
constexpr std::array<std::string_view, 3> k_after_policies{"success", "finish", "any"};

}  // namespace

std::string_view to_string(TaskState state) { return k_states[static_cast<size_t>(state)]; }
std::string_view to_string(Reason reason) { return k_reasons[static_cast<size_t>(reason)]; }

std::string_view to_string(AfterPolicy policy) {
  return k_after_policies[static_cast<size_t>(policy)];
}

Result<AfterPolicy> parse_after_policy(std::string_view text) {
  for (size_t i = 0; i < k_after_policies.size(); ++i)
    if (text == k_after_policies[i]) return static_cast<AfterPolicy>(i);
  return fail(ErrorCode::usage, "unknown policy '" + std::string(text.substr(0, 40)) + "'",
              "use success, finish or any");
}

Result<TaskState> parse_task_state(std::string_view text) {
  for (size_t i = 0; i < k_states.size(); ++i)
    if (text == k_states[i]) return static_cast<TaskState>(i);
  return fail(ErrorCode::usage, "unknown task state '" + std::string(text.substr(0, 40)) + "'",
              "use pending, running, completed, failed, cancelled or timed_out");
}

bool same_submission(const Task& a, const Task& b) {
  // Where it went is no part of what was asked when an agent was required, not named.
  const bool same_agent = a.require.empty() ? a.agent == b.agent : a.require == b.require;
  return a.id == b.id && same_agent && a.require.empty() == b.require.empty() && a.type == b.type &&
         a.payload == b.payload && a.priority == b.priority && a.metadata == b.metadata &&
         a.depends_on == b.depends_on && a.after == b.after && a.timeout == b.timeout &&
         a.no_progress_timeout == b.no_progress_timeout && a.queue_ttl == b.queue_ttl &&
         a.deadline == b.deadline && a.start_at == b.start_at && a.retry == b.retry &&
         a.slots == b.slots && a.share == b.share && a.exclusive == b.exclusive &&
         a.group == b.group;
}

}  // namespace fabric
