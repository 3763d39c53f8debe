// SPDX-License-Identifier: Apache-2.0
// Decides what happens to tasks: pure decisions over a store transaction and a given time, so they
// run the same in a command, in the supervisor and in a test. Nothing here runs anything.
//
// The life of a task: schedule() -> [dependencies] -> claim() -> finish() or requeue(). Terminal
// states never change. A claim gives an attempt id; finish and requeue with any other are refused,
// so a late answer of an older attempt changes nothing (fencing).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/agent.hpp"
#include "model/task.hpp"
#include "store/store.hpp"

namespace fabric {

struct Scheduled {
  Task task;
  bool existed = false;  // the same id with the same content was there before: nothing was added
};

// How an attempt ended, as the scheduler sees it.
struct Outcome {
  TaskState state = TaskState::completed;  // terminal
  Reason reason = Reason::none;
  std::string detail;
  std::optional<int> exit_code, signal;
  uint64_t result_bytes = 0, stderr_bytes = 0, dropped_bytes = 0;
  Duration cpu;
  uint64_t memory_peak_bytes = 0;
  TaskResult result;
};

class AgentScheduler {
 public:
  // Borrows `txn`; the caller commits. On an error the caller drops the transaction.
  AgentScheduler(store::WriteTxn& txn, WallTime now) : txn_(txn), now_(now) {}

  // All or nothing. Checks agents and dependencies (which may be tasks of the same batch, in any
  // order); refuses a cycle and prints it. A task whose dependency already failed fails at once.
  Result<std::vector<Scheduled>> schedule(std::vector<Task> tasks);

  // The next task of this agent becomes running under a new attempt id; nullopt when none is ready.
  Result<std::optional<Task>> claim(const Agent& agent);

  // Ends a running attempt. nullopt when `attempt_id` is not the attempt that runs now. A task that
  // was asked to stop (request_cancel) ends as cancelled whatever the outcome says.
  Result<std::optional<Task>> finish(uint64_t sequence, uint64_t attempt_id,
                                     const Outcome& outcome);

  // Adds to what the task used. nullopt as for finish(). A report that is sent again after a crash
  // between its commit and its acknowledgement counts twice.
  Result<std::optional<Task>> add_usage(uint64_t sequence, uint64_t attempt_id, const Usage& usage);

  // A running attempt that ended without an outcome goes back to its place in the queue. `lost`
  // attempts count: after `max_lost` the task fails with reason lost.
  enum class Requeue : uint8_t { not_started, interrupted, lost };
  Result<std::optional<Task>> requeue(uint64_t sequence, uint64_t attempt_id, Requeue why,
                                      std::string detail, uint32_t max_lost);

  struct Cancelled {
    Task task;  // after: cancelled, or running with reason `user` (its stop is due)
    TaskState was = TaskState::pending;
    std::vector<std::string> dependents;  // cancelled with it
  };
  // not_found when unknown; failed when already terminal.
  Result<Cancelled> cancel(std::string_view id);
  // For the end of an agent: pending tasks are cancelled, running ones marked. Returns how many.
  struct AgentGone {
    uint64_t cancelled = 0;  // dependents included, of other agents too
    std::vector<Task> running;
  };
  Result<AgentGone> cancel_all(const Agent& agent);

  Result<Task> get_status(std::string_view id) const;
  Result<std::vector<Task>> list_pending(const Agent& agent, size_t limit) const;

  // Agents whose queue may have a new head since this scheduler was made.
  [[nodiscard]] const std::vector<std::string>& touched_agents() const { return touched_; }

 private:
  // What decides the fate of those that wait for a task. Without its payload: there may be very
  // many.
  struct Dependency {
    uint64_t sequence = 0;
    TaskState state = TaskState::pending;
    std::string why;  // in words, for those that wait
  };
  static Dependency dependency_of(const Task& task);
  Status add(Task& task, const std::vector<const Dependency*>& dependencies);
  Status end(Task& task, TaskState state, Reason reason, std::string detail,
             std::vector<std::string>* dependents = nullptr);
  Status settle_dependents(const Task& ended, std::vector<std::string>* cancelled);
  void touch(const std::string& agent);

  store::WriteTxn& txn_;
  WallTime now_;
  std::vector<std::string> touched_;
  std::unordered_set<std::string> touched_set_;
};

}  // namespace fabric
