// SPDX-License-Identifier: Apache-2.0
// Where a task stands: exactly one row, in queue, running or finished, that follows from its
// record.
#pragma once

#include "model/task.hpp"
#include "store/records.pb.h"
#include "store/tables.hpp"

namespace fabric::store {

struct Place {
  Table table = Table::queue;
  Key key;
  [[nodiscard]] bool same_as(const Place& other) const {
    return table == other.table && std::string_view(key) == std::string_view(other.key);
  }
};

inline Place place_of(uint64_t sequence, const record::Task& task) {
  switch (static_cast<TaskState>(task.state())) {
    case TaskState::pending:
      return {Table::queue, queue_key(task.agent_number(),
                                      task.waiting_on() > 0 ? k_level_waiting
                                                            : static_cast<uint8_t>(task.priority()),
                                      sequence)};
    case TaskState::running:
      return {Table::running, running_key(task.agent_number(), sequence)};
    default:
      return {Table::finished, finished_key(task.finished_at_us(), sequence)};
  }
}

}  // namespace fabric::store
