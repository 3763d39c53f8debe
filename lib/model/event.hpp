// SPDX-License-Identifier: Apache-2.0
// What happened, in order: one record a transition, written in the same transaction. Commands that
// wait or follow read these from a position (cursor) on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/task.hpp"

namespace fabric {

enum class EventKind : uint8_t {
  task_scheduled,
  task_ready,  // nothing stands in its way any more: a dependency ended, its time came
  task_started,
  task_requeued,  // an attempt ended without an outcome; the task waits again
  task_retrying,  // an attempt ended badly, and another will follow
  task_completed,
  task_failed,
  task_cancelled,
  task_timed_out,
  task_changed,      // priority, agent or payload of a pending task
  task_extended,     // the lease of an external agent
  task_late_result,  // an answer came after the end
  agent_spawned,
  agent_state,  // detail: the new state, and why
  agent_removed,
  paused,
  resumed,
  recurring_added,
  recurring_removed,
  recurring_missed,  // runs whose time had passed while nothing was there to start them
  sandbox_refused,   // what an agent wanted and its rules do not allow; detail: what and why
  agent_changed,     // what may change while it runs; detail: how
};
constexpr EventKind k_last_event_kind = EventKind::agent_changed;
// "task.scheduled", ...
std::string_view to_string(EventKind kind);
Result<EventKind> parse_event_kind(std::string_view text);

struct Event {
  uint64_t sequence = 0;  // the cursor; grows by one
  EventKind kind = EventKind::task_scheduled;
  WallTime at;
  std::string task;  // id, or ""
  std::string agent;
  std::string group;
  uint64_t task_sequence = 0;
  uint32_t attempt = 0;
  TaskState state = TaskState::pending;  // of the task, after
  Reason reason = Reason::none;
  std::string detail;
};

}  // namespace fabric
