// SPDX-License-Identifier: Apache-2.0
// The rows that follow from the record of a task: its place (one row, in ready, waiting, running or
// finished), and at most one row in each of timers, dead and the waiting part of exclusive.
#pragma once

#include <optional>
#include <string>

#include "model/task.hpp"
#include "store/records.pb.h"
#include "store/tables.hpp"

namespace fabric::store {

struct Place {
  Table table = Table::waiting;
  Key key;
  bool operator==(const Place& other) const {
    return table == other.table && std::string_view(key) == std::string_view(other.key);
  }
};

inline Lane lane_of(const record::Task& task) {
  return {task.queue(), task.share_number(), static_cast<Priority>(task.level()),
          task.slot_class()};
}

inline Place place_of(uint64_t sequence, const record::Task& task) {
  switch (static_cast<TaskState>(task.state())) {
    case TaskState::pending:
      if (static_cast<Reason>(task.reason()) == Reason::queued)
        return {Table::ready, ready_key(lane_of(task), sequence)};
      return {Table::waiting, waiting_key(task.queue(), sequence)};
    case TaskState::running:
      return {Table::running, running_key(task.agent_number(), sequence)};
    default:
      return {Table::finished, finished_key(task.finished_at_us(), sequence)};
  }
}

// Whose counters it is in: a task that waits for whichever agent belongs to its route.
inline uint32_t counted_under(const record::Task& task) {
  const bool pending = static_cast<TaskState>(task.state()) == TaskState::pending;
  return pending || task.agent_number() == 0 ? task.queue() : task.agent_number();
}

// When something must be decided about it; 0: never.
inline int64_t timer_of(const record::Task& task) {
  int64_t at = 0;
  const auto sooner = [&at](int64_t when) {
    if (when != 0 && (at == 0 || when < at)) at = when;
  };
  const auto state = static_cast<TaskState>(task.state());
  if (state == TaskState::pending) {
    if (static_cast<Reason>(task.reason()) == Reason::not_before) sooner(task.not_before_us());
    sooner(task.deadline_us());
    if (task.queue_ttl_ns() != 0 && task.attempt() == 0)
      sooner(task.created_at_us() + task.queue_ttl_ns() / 1000);
  } else if (state == TaskState::running && task.lease_until_us() != 0) {
    // Nobody but time can end what an external agent has.
    sooner(task.lease_until_us());
    sooner(task.deadline_us());
  }
  return at;
}

inline bool waits_for_exclusive(const record::Task& task) {
  return static_cast<TaskState>(task.state()) == TaskState::pending &&
         static_cast<Reason>(task.reason()) == Reason::exclusive;
}
// It is ready or runs: no other with its key may.
inline bool holds_exclusive(const record::Task& task) {
  const auto state = static_cast<TaskState>(task.state());
  return !task.exclusive().empty() &&
         (state == TaskState::running ||
          (state == TaskState::pending && static_cast<Reason>(task.reason()) == Reason::queued));
}
inline std::string exclusive_waiter_key(uint64_t sequence, const record::Task& task) {
  return text_key(task.exclusive(), Key().u8(static_cast<uint8_t>(task.level())).u64(sequence));
}

}  // namespace fabric::store
