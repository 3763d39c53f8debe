// SPDX-License-Identifier: Apache-2.0
// What the reference model knows of a task.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/event.hpp"
#include "model/task.hpp"

namespace fabric::test {

struct RefAttempt {
  uint32_t number = 0;
  uint64_t attempt_id = 0;
  TaskState state = TaskState::pending;
  Reason reason = Reason::none;
  bool late = false;
  bool operator==(const RefAttempt&) const = default;
};

struct RefTask {
  Task given;  // as submitted; priority and payload as changed since
  uint64_t sequence = 0;
  TaskState state = TaskState::pending;
  Reason reason = Reason::queued;
  std::string agent;   // whose it is, or where it went; "" where any may take it
  uint32_t queue = 0;  // number of its agent; 0: a route
  Priority level = Priority::normal;
  std::set<uint64_t> open;  // what it waits for
  uint32_t attempt = 0, lost = 0, retries = 0;
  uint64_t attempt_id = 0, output_tokens = 0;
  WallTime created, not_before, lease_until, started, finished;
  bool dead = false;
  std::string why;  // of a dependency
  std::string retried_as;
  std::string result;
  std::vector<RefAttempt> attempts;

  [[nodiscard]] bool ready() const {
    return state == TaskState::pending && reason == Reason::queued;
  }
  [[nodiscard]] bool holds() const {
    return !given.exclusive.empty() && (state == TaskState::running || ready());
  }
};

struct RefEvent {
  std::string task;
  EventKind kind = EventKind::task_scheduled;
  TaskState state = TaskState::pending;
  Reason reason = Reason::none;
  uint32_t attempt = 0;
  bool operator==(const RefEvent&) const = default;
};

}  // namespace fabric::test
