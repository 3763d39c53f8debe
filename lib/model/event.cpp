// SPDX-License-Identifier: Apache-2.0
#include "model/event.hpp"

#include <array>

namespace fabric {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(k_last_event_kind) + 1> k_kinds{
    "task.scheduled",  "task.ready",      "task.started",      "task.requeued",
    "task.retrying",   "task.completed",  "task.failed",       "task.cancelled",
    "task.timed_out",  "task.changed",    "task.extended",     "task.late_result",
    "agent.spawned",   "agent.state",     "agent.removed",     "paused",
    "resumed",         "recurring.added", "recurring.removed", "recurring.missed",
    "sandbox.refused", "agent.changed"};

}  // namespace

std::string_view to_string(EventKind kind) { return k_kinds[static_cast<size_t>(kind)]; }

Result<EventKind> parse_event_kind(std::string_view text) {
  for (size_t i = 0; i < k_kinds.size(); ++i)
    if (text == k_kinds[i]) return static_cast<EventKind>(i);
  return fail(ErrorCode::usage, "unknown kind of event '" + std::string(text.substr(0, 40)) + "'",
              "see fabric-events(1) for the kinds");
}

}  // namespace fabric
