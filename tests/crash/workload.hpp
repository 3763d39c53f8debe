// SPDX-License-Identifier: Apache-2.0
// A supervisor's work without its processes: transactions on a real store with a real dispatcher,
// time moved by hand, outcomes by chance. It keeps the history of what it was told.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "history.hpp"
#include "random.hpp"
#include "supervisor/dispatcher.hpp"

namespace fabric::crash {

class HandClock : public Clock {
 public:
  explicit HandClock(WallTime now) : now_(now) {}
  [[nodiscard]] WallTime now() const override { return now_; }
  [[nodiscard]] MonoTime monotonic() const override { return {now_.us * 1000}; }
  void pass(Duration d) { now_ = now_ + d; }

 private:
  WallTime now_;
};

DispatchRules rules();
Capacity capacity();
Result<Snapshot> snapshot_of(const store::ReadTxn& txn, const Task& task);
// The agents of the workspace, in one transaction.
Status add_agents(store::Store& store);

// What is known of tasks, from commits.
class KnownTasks {
 public:
  struct Running {
    uint64_t attempt_id = 0;
    std::string agent;
  };
  void learn(const Commit& commit);
  std::unordered_map<std::string, Running> running;
  std::unordered_map<std::string, std::shared_ptr<const Task>> there;  // not removed
  std::unordered_map<std::string, Snapshot> last;
  std::set<std::string> open, ended;  // of `there`
  std::vector<std::pair<std::string, uint64_t>> old_attempts;
};

class Workload {
 public:
  Workload(store::Store& store, HandClock& clock, Random& random, KnownTasks known);

  Status begin();  // reads the store
  // One transaction of `operations` random operations, as the supervisor's store thread makes them.
  Status step(size_t operations);
  // What a supervisor does first: what ran without it is lost. Nothing new is scheduled afterwards.
  Status recover();
  // Until nothing is open.
  Status run_to_end();

  // Called when a commit has returned: from then on the world acts upon it.
  std::function<void(Commit&)> acknowledged;
  [[nodiscard]] const std::vector<Commit>& commits() const { return commits_; }
  [[nodiscard]] const KnownTasks& known() const { return known_; }
  // Answers that must not be: an old attempt that was accepted, and the like.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  // One operation, in a transaction inside the one under way.
  struct Draft {
    store::WriteTxn& txn;
    AgentScheduler scheduler;
    std::set<std::string> touched = {};
    std::vector<Step> steps = {};
    std::vector<std::string> removed = {};
  };
  using Operation = Status (Workload::*)(Draft&);

  Status transact(const std::vector<Operation>& operations);
  Status perform(store::WriteTxn& txn, Operation operation);
  Status claim(store::WriteTxn& txn);
  void take_event(const Event& event);
  Status take_snapshots(const store::WriteTxn& txn);
  Operation choose();

  // workload_operations.cpp
  Status schedule_one(Draft& draft);
  Status schedule_batch(Draft& draft);
  Status schedule_graph(Draft& draft);
  Status submit(Draft& draft, std::vector<Task> tasks);
  Task random_task();
  void add_dependencies(Task& task, const std::vector<std::string>& ids);
  Status finish(Draft& draft);
  Status finish_as(Draft& draft, const std::string& id);
  Status answer_late(Draft& draft);
  Status cancel(Draft& draft);
  Status change(Draft& draft);
  Status retry(Draft& draft);
  Status collect(Draft& draft);
  Status lose_all(Draft& draft);
  Outcome random_outcome(const std::string& id);

  store::Store& store_;
  HandClock& clock_;
  Random& random_;
  KnownTasks known_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::optional<Agent> external_;
  uint64_t cursor_ = 0;  // of events
  uint64_t next_id_ = 1;
  Commit now_;  // being made
  std::set<std::string> touched_, over_;
  std::vector<std::string> removed_;
  std::unordered_map<std::string, Task> claims_;
  std::vector<Commit> commits_;
  std::vector<std::string> problems_;
};

}  // namespace fabric::crash
