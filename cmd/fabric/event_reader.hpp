// SPDX-License-Identifier: Apache-2.0
// Reads the stream of events from a position on. One transaction a look, bounded in what it reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/event.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

struct EventFilter {
  std::vector<std::string> kinds;  // "task.failed", or "task" for all of that sort; empty: all
  std::string agent, task, group;  // "": any
  [[nodiscard]] bool takes(const Event& event) const;
};

// Positions that retention has removed before they were read.
struct EventGap {
  uint64_t first = 0, last = 0;
};

class EventReader {
 public:
  EventReader(uint64_t after, EventFilter filter) : cursor_(after), filter_(std::move(filter)) {}

  struct Page {
    std::vector<Event> events;  // those that the filter takes, oldest first
    std::optional<EventGap> gap;
    bool more = false;  // there may be more at once
  };
  Result<Page> next(const store::ReadTxn& txn);
  // Everything up to here was handed out or passed over.
  [[nodiscard]] uint64_t cursor() const { return cursor_; }

 private:
  uint64_t cursor_;
  EventFilter filter_;
};

// The position before the first event at or after `when`, as far as the clock went forward only.
Result<uint64_t> position_before(const store::ReadTxn& txn, WallTime when);
// The newest `count` that the filter takes, oldest first.
Result<std::vector<Event>> newest_events(const store::ReadTxn& txn, const EventFilter& filter,
                                         size_t count);

}  // namespace fabric::cmd
