// SPDX-License-Identifier: Apache-2.0
// How long what has ended is kept. Pure over a transaction; files are the caller's.
#pragma once

#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/store.hpp"

namespace fabric {

// 0: no limit.
struct RetentionRules {
  uint64_t tasks = 100000;  // that have ended
  Duration age = Duration::seconds(int64_t{30} * 86400);
  uint64_t log_bytes = uint64_t{10} << 30;
  uint64_t events = 1000000;
};

// What one step removed.
struct Collected {
  struct Logs {
    std::string agent, task;
    uint32_t attempt = 0;
    bool operator==(const Logs&) const = default;
  };
  std::vector<std::string> tasks;  // ids
  std::vector<Logs> logs;          // of their attempts: files that belong to nobody now
  uint64_t events = 0;
  bool more = false;
};

// Removes at most `limit` tasks that are too old or too many, oldest end first, and events
// likewise. Tasks whose result somebody will still read stay.
Result<Collected> collect_garbage(store::WriteTxn& txn, const RetentionRules& rules, WallTime now,
                                  size_t limit);

// How many tasks and events that would remove, at most.
struct Garbage {
  uint64_t tasks = 0, events = 0;
};
Result<Garbage> find_garbage(const store::ReadTxn& txn, const RetentionRules& rules, WallTime now);

}  // namespace fabric
