// SPDX-License-Identifier: Apache-2.0
// What `top` shows: gathered at each look, and laid out in lines.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "fabric/event_reader.hpp"
#include "fabric/json_views.hpp"
#include "fabric/views.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

struct TopData {
  WallTime now;
  StatusView workspace;
  bool silent = false;                        // a supervisor runs, and does not answer
  std::map<std::string, double> cpu_percent;  // by agent; of one core; those that are known
  std::map<std::string, Event> last_event;    // by agent
  std::deque<Event> newest;                   // oldest first
};

// Keeps what one look must know of the one before. One thread.
class TopGatherer {
 public:
  // `usage` came at `usage_at`; the same as before when no newer one did.
  Status look(const config::Workspace& workspace, const store::ReadTxn& txn,
              const LiveUsageList& usage, MonoTime usage_at, WallTime now);
  // Whether the supervisor leaves unanswered what it was asked.
  void silent(bool yes) { data_.silent = yes; }
  [[nodiscard]] const TopData& data() const { return data_; }

 private:
  Status read_events(const store::ReadTxn& txn);
  void measure(const LiveUsageList& usage, MonoTime at);

  TopData data_;
  std::optional<EventReader> events_;
  LiveUsageList usage_;
  MonoTime usage_at_;
};

struct TopSize {
  size_t columns = 0, rows = 0;  // 0: as many as it takes
};
// At most size.rows lines of at most size.columns; agents from the `first`-th on, the busiest
// first. Corrects `first` when it is too far. Pure.
std::vector<std::string> top_lines(const TopData& data, TopSize size, size_t& first);
// How many agents fit below each other.
size_t top_page(const TopData& data, TopSize size);

}  // namespace fabric::cmd
