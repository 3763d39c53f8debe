// SPDX-License-Identifier: Apache-2.0
// What happened to tasks, as who acted saw it, and the promises that it must keep. Knows nothing of
// the store: it is what the store is held against.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/agent.hpp"
#include "model/task.hpp"

namespace fabric::crash {

struct Step {
  enum class Kind : uint8_t {
    scheduled,
    changed,  // a pending task, by hand: `task` is what it is now
    started,  // the process exists from here on
    over,     // the attempt ended, and the task goes on
    ended,    // for ever
    removed,  // by retention, or by nobody: it must not come back
  };
  Kind kind = Kind::scheduled;
  std::string id;
  WallTime at;
  std::shared_ptr<const Task> task = nullptr;  // scheduled, changed: as submitted
  uint64_t attempt_id = 0;                     // started, over; ended: 0 when nothing ran
  std::string agent = {};                      // started
  TaskState state = TaskState::pending;        // ended
};

// Of one task, as it must be found in the store.
struct Snapshot {
  TaskState state = TaskState::pending;
  bool stop_asked = false;
  uint32_t attempt = 0, retries = 0, lost_attempts = 0;
  uint64_t attempt_id = 0;
  std::string result;
  size_t attempts_kept = 0;
  bool operator==(const Snapshot&) const = default;
};
std::string to_string(const Snapshot& snapshot);

// One committed transaction.
struct Commit {
  uint64_t transaction = 0;
  size_t position = 0;  // of the disk, when it was acknowledged
  WallTime at;
  std::vector<Step> steps;
  std::map<std::string, std::optional<Snapshot>> after;  // of what it touched; nullopt: removed
};

// What a workspace allows at a time.
struct Capacity {
  Slots labels;
  std::map<std::string, uint32_t> agents;
};

// Every promise that a history breaks, a line each. `complete`: the queue has been run to its end.
std::vector<std::string> broken_promises(const std::vector<Step>& history, const Capacity& capacity,
                                         bool complete);

}  // namespace fabric::crash
