// SPDX-License-Identifier: Apache-2.0
// Decides what happens to tasks: pure decisions over a store transaction and a given time, so they
// run the same in a command, in the supervisor and in a test. Nothing here runs anything, and
// nothing here chooses which queue is served next: that is fair_queue.hpp's.
//
// The life of a task: schedule() -> [dependencies, start time, exclusive key] -> claim() ->
// finish() or requeue(). Terminal states never change. A claim gives an attempt id; finish and
// requeue with any other are refused, so a late answer of an older attempt changes nothing
// (fencing).
//
// A task queues at the level of its priority, or of the most urgent task that waits for it; it
// keeps a level that it got so until somebody changes its priority. Sources, one subject each:
// agent_scheduler.cpp (schedule), placement.cpp (what holds a task back), dependents.cpp,
// attempts.cpp, external.cpp (agents that claim by hand), changes.cpp (what people change), due.cpp
// (what time brings).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/agent.hpp"
#include "model/task.hpp"
#include "scheduler/fair_queue.hpp"
#include "store/store.hpp"

namespace fabric {

// What the configuration says.
struct SchedulerRules {
  uint64_t max_pending_tasks = 1000000;  // of the workspace; 0: no limit
  uint32_t max_lost_attempts = 3;
  Slots label_slots;  // capacity of each label
};

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
  bool memory_met = false;    // the limit killed a process of it
  uint64_t pids_refused = 0;  // processes that the limit kept it from starting
  TaskResult result;
};

class AgentScheduler {
 public:
  // Borrows `txn`; the caller commits. On an error the caller drops the transaction.
  AgentScheduler(store::WriteTxn& txn, WallTime now, SchedulerRules rules = {})
      : txn_(txn), now_(now), rules_(std::move(rules)) {}

  // All or nothing. Checks agents, limits and dependencies (which may be tasks of the same batch,
  // in any order); refuses a cycle and prints it. A dependency that has ended decides as it would
  // have live. ErrorCode::queue_full names the depth and the oldest task.
  Result<std::vector<Scheduled>> schedule(std::vector<Task> tasks);

  // The oldest ready task of the lanes that were picked becomes running under a new attempt id,
  // with the references in its payload replaced. nullopt when it could not start after all (a
  // reference leads nowhere: then it has failed); ask again. `lease`: of an external agent.
  Result<std::optional<Task>> claim(const Agent& agent, const FairQueue::Pick& pick,
                                    Duration lease = {});

  // Ends a running attempt. nullopt when `attempt_id` is not the attempt that runs now. A task that
  // was asked to stop (cancel) ends as cancelled whatever the outcome says; one whose retry policy
  // covers the outcome waits for its next attempt.
  Result<std::optional<Task>> finish(uint64_t sequence, uint64_t attempt_id,
                                     const Outcome& outcome);

  // Adds to what the task used. nullopt as for finish(). A report that is sent again after a crash
  // between its commit and its acknowledgement counts twice.
  Result<std::optional<Task>> add_usage(uint64_t sequence, uint64_t attempt_id, const Usage& usage);

  // A running attempt that ended without an outcome goes back to its place in the queue. `lost`
  // attempts count: after max_lost_attempts the task fails with reason lost.
  enum class Requeue : uint8_t { not_started, interrupted, lost };
  Result<std::optional<Task>> requeue(uint64_t sequence, uint64_t attempt_id, Requeue why,
                                      std::string detail);

  struct Cancelled {
    Task task;  // after: cancelled, or running with reason `user` (its stop is due)
    TaskState was = TaskState::pending;
    std::vector<std::string> dependents;  // ended with it
  };
  // not_found when unknown; failed when already terminal.
  Result<Cancelled> cancel(std::string_view id);
  // Those that match and have not ended, as many as the filter's limit says of each state, newest
  // first. Nothing is changed when `dry_run`.
  Result<std::vector<Cancelled>> cancel_matching(const store::TaskFilter& filter, bool dry_run);
  // For the end of an agent: pending tasks are cancelled, running ones marked. Returns how many.
  struct AgentGone {
    uint64_t cancelled = 0;  // dependents included, of other agents too
    std::vector<Task> running;
  };
  Result<AgentGone> cancel_all(const Agent& agent);

  // external.cpp. `lease` is the attempt id that claim() gave.
  Result<Task> extend(std::string_view id, uint64_t lease, Duration duration);
  struct Completion {
    Task task;
    bool late = false;  // it had ended before: the answer is kept beside, and changes nothing
  };
  Result<Completion> complete(std::string_view id, uint64_t lease, const Outcome& outcome);
  Result<Task> release(std::string_view id, uint64_t lease);

  // changes.cpp
  struct Change {
    std::optional<Priority> priority;
    std::optional<std::string> agent;
    std::optional<std::string> payload;
  };
  Result<Task> change(std::string_view id, const Change& change);  // of a pending task
  // A new task that repeats one that ended badly.
  Result<Task> retry(std::string_view id);
  // False when it was so already.
  Result<bool> pause(Pause pause);
  Result<bool> resume(const Pause& target);

  // due.cpp: decides about at most `limit` tasks whose time has come, and starts recurring tasks.
  // One that cannot be decided (its record is damaged) keeps none of the others waiting.
  struct Ticked {
    size_t decided = 0;           // below `limit`: nothing more is due
    std::optional<Error> failed;  // the first of those that could not be decided
  };
  Result<Ticked> tick(size_t limit);
  // When tick() must be called next; nullopt: not before something changes. The part of it that
  // goes through all recurring tasks is apart, for who asks often.
  static Result<std::optional<WallTime>> next_tick(const store::ReadTxn& txn);
  static Result<std::optional<WallTime>> next_recurring(const store::ReadTxn& txn);
  // Assigns `due`. Refuses what could never run.
  Status add_recurring(Recurring recurring);
  Result<bool> remove_recurring(std::string_view id);

  // not_found when there is no such task.
  Result<Task> get_status(std::string_view id) const;
  Result<std::vector<Task>> list_pending(const Agent& agent, size_t limit) const;

 private:
  // What decides the fate of those that wait for a task. Without its payload: there may be very
  // many.
  struct Dependency {
    uint64_t sequence = 0;
    TaskState state = TaskState::pending;
    Priority level = Priority::normal;
    std::string why;  // in words, for those that wait
  };
  struct Depth {
    uint64_t pending = 0;
    uint64_t limit = 0;                        // 0: none
    enum class Of : uint8_t { added, moved };  // a task that moves was in the workspace before
  };
  static Dependency dependency_of(const Task& task);
  Status check_task(const Task& task) const;
  Status find_queue(Task& task);
  Status check_depth(const Task& task, Depth::Of of = Depth::Of::added);
  Status full(const Task& task, const Depth& depth, bool workspace) const;
  Result<std::optional<uint64_t>> oldest_pending(QueueNumber queue) const;
  Result<std::optional<uint64_t>> oldest_pending() const;
  Result<std::vector<Dependency*>> dependencies_of(const Task& task);
  Status add(Task& task, const std::vector<Dependency*>& dependencies);
  Result<bool> settle_at_once(Task& task, const std::vector<Dependency*>& dependencies,
                              std::vector<uint64_t>& open) const;
  Status raise(std::vector<uint64_t> open, Priority level);

  Result<Cancelled> cancel(Task task);

  // placement.cpp
  Status decide_place(Task& task);
  Status took_place(const Task& task);
  Status put_in_queue(Task& task);
  Status leave_exclusive(const Task& task);
  Status give_way(const std::string& key);
  Status pin_results(const Task& task, bool pinned);
  Status note(EventKind kind, const Task& task, std::string detail = {});

  // dependents.cpp
  Status settle_dependents(const Task& ended, std::vector<std::string>* cancelled);
  Status settle_one(const Dependency& source, Task& dependent, std::vector<Dependency>& ended,
                    std::vector<std::string>* cancelled);
  Status forget_edges(const Task& dependent);

  Status end(Task& task, TaskState state, Reason reason, std::string detail,
             std::vector<std::string>* dependents = nullptr);
  Status to_next_attempt(Task& task, const Outcome& outcome);
  Status keep_attempt(const Task& task, const Outcome& outcome);
  Result<bool> expand_payload(Task& task);
  Result<Task> leased(std::string_view id, uint64_t lease, bool* ended) const;
  Result<WallTime> lease_end(const Task& task, Duration lease) const;
  Result<Duration> running_limit(const Task& task) const;
  Status decide_due(uint64_t sequence);
  Result<size_t> tick_recurring();
  Status run_recurring(Recurring& recurring);
  Status schedule_run(Recurring& recurring, WallTime due);
  Result<std::string> last_try(const std::string& id) const;

  store::WriteTxn& txn_;
  WallTime now_;
  SchedulerRules rules_;
  // Of this batch: what is looked up once.
  std::unordered_map<std::string, std::optional<Agent>> agents_;
  std::unordered_map<std::string, QueueNumber> routes_;
  std::unordered_map<QueueNumber, Depth> depths_;
  std::unordered_map<std::string, Dependency> looked_up_;
};

// Of the task that repeats one: "build.r17". Cut so that it is an id, whatever the number.
std::string retry_id(const std::string& id, uint64_t sequence);

}  // namespace fabric
