// SPDX-License-Identifier: Apache-2.0
// A store of its own for each test, a clock that the test moves, and the scheduler over both.
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/agent_scheduler.hpp"
#include "store/store.hpp"

namespace fabric::test {

// Value of a result that must be there.
template <class T>
T ok(Result<T> result) {
  if (!result) FAIL(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// What a refusal says.
template <class T>
std::string refusal(const Result<T>& result) {
  if (result) return "(accepted)";
  return result.error().message;
}

// In memory where there is such a place: what is tested here is no disk.
class TempDir {
 public:
  TempDir() {
    char memory[] = "/dev/shm/fabric-test-XXXXXX";
    char disk[] = "/tmp/fabric-test-XXXXXX";
    const char* made = ::mkdtemp(memory);
    path_ = made ? made : ::mkdtemp(disk);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline Task task_for(const std::string& agent, const std::string& id,
                     std::vector<std::string> depends_on = {},
                     Priority priority = Priority::normal) {
  Task task;
  task.agent = agent;
  task.id = id;
  task.payload = R"({"n": 1})";
  task.depends_on = std::move(depends_on);
  task.priority = priority;
  return task;
}

inline void require_clean(const store::Store& store) {
  store::CheckReport report = ok(store.check());
  for (const std::string& problem : report.problems) UNSCOPED_INFO(problem);
  REQUIRE(report.problems.empty());
}

// What the agent's own queue, or a route that it serves, has first.
inline Result<std::optional<Task>> claim_first(AgentScheduler& scheduler,
                                               const store::WriteTxn& txn, const Agent& agent,
                                               Duration lease = {}) {
  std::vector<QueueNumber> queues{agent.number};
  for (const store::Name& route : TRY(txn.names(store::NameKind::route)))
    if (satisfies(agent.definition, TRY(parse_requirements(route.text))))
      queues.push_back(route.number);
  std::optional<FairQueue::Pick> best;
  uint64_t first = 0;
  for (QueueNumber queue : queues)
    for (const store::LaneBacklog& backlog : TRY(txn.ready_lanes(queue))) {
      const Lane& lane = backlog.lane;
      const uint64_t head = TRY(txn.lane_head(lane)).value_or(0);
      if (best && std::pair(best->level, first) < std::pair(lane.level, head)) continue;
      best = {agent.number, lane.queue, lane.share, lane.level, {lane.slot_class}};
      first = head;
    }
  if (!best) return std::optional<Task>();
  return scheduler.claim(agent, *best, lease);
}

// Each operation is one transaction, committed when the operation succeeded.
class Queue {
 public:
  explicit Queue(const std::vector<std::string>& agents = {"a1"})
      : store_(ok(store::Store::open(dir_.path() + "/store", store::Store::Mode::create))) {
    store::WriteTxn txn = ok(store_->write());
    for (const std::string& id : agents) {
      Agent agent;
      agent.definition.id = id;
      agent.definition.command = {"true"};
      agent.definition.max_queue_depth = 0;
      ok(txn.save_agent(agent));
    }
    ok(txn.commit());
  }

  WallTime now{1700000000000000};
  void pass(Duration d) { now = now + d; }

  template <class Work>
  auto in_txn(Work work) {
    store::WriteTxn txn = ok(store_->write());
    AgentScheduler scheduler(txn, now, rules);
    auto result = work(scheduler, txn);
    if (result) ok(txn.commit());
    return result;
  }
  Result<std::vector<Scheduled>> schedule(std::vector<Task> tasks) {
    return in_txn(
        [&](AgentScheduler& s, store::WriteTxn&) { return s.schedule(std::move(tasks)); });
  }
  Result<std::vector<Scheduled>> schedule(Task task) {
    std::vector<Task> one;
    one.push_back(std::move(task));
    return schedule(std::move(one));
  }
  // From the most urgent lane of its queue; nullopt when there is none, or when what was there
  // could not start.
  std::optional<Task> claim(const std::string& agent = "a1", Duration lease = {}) {
    return ok(in_txn([&](AgentScheduler& s, store::WriteTxn& txn) {
      return claim_first(s, txn, *ok(txn.find_agent(agent)), lease);
    }));
  }
  std::optional<Task> finish(const Task& task, const Outcome& outcome = {}) {
    return ok(in_txn([&](AgentScheduler& s, store::WriteTxn&) {
      return s.finish(task.sequence, task.attempt_id, outcome);
    }));
  }
  std::optional<Task> requeue(const Task& task, AgentScheduler::Requeue why) {
    return ok(in_txn([&](AgentScheduler& s, store::WriteTxn&) {
      return s.requeue(task.sequence, task.attempt_id, why, "because");
    }));
  }
  size_t tick(size_t limit = 1000) {
    const AgentScheduler::Ticked ticked =
        ok(in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.tick(limit); }));
    CHECK(!ticked.failed);
    return ticked.decided;
  }
  void add_agent(const AgentDefinition& definition) {
    Agent agent;
    agent.definition = definition;
    ok(in_txn([&](AgentScheduler&, store::WriteTxn& txn) { return txn.save_agent(agent); }));
  }
  Result<AgentScheduler::Cancelled> cancel(const std::string& id) {
    return in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.cancel(id); });
  }
  AgentScheduler::AgentGone cancel_all(const std::string& agent = "a1") {
    return ok(in_txn([&](AgentScheduler& s, store::WriteTxn& txn) {
      return s.cancel_all(*ok(txn.find_agent(agent)));
    }));
  }
  Task get(const std::string& id) {
    return ok(in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.get_status(id); }));
  }
  std::vector<std::string> pending(const std::string& agent = "a1", size_t limit = 1000) {
    std::vector<std::string> ids;
    auto tasks = ok(in_txn([&](AgentScheduler& s, store::WriteTxn& txn) {
      return s.list_pending(*ok(txn.find_agent(agent)), limit);
    }));
    for (const Task& task : tasks) ids.push_back(task.id);
    return ids;
  }
  std::string claimed_id(const std::string& agent = "a1") {
    std::optional<Task> task = claim(agent);
    return task ? task->id : "";
  }
  [[nodiscard]] TaskCounts counts() const { return ok(ok(store_->read()).counts()); }
  void reopen() {
    store_.reset();
    store_.emplace(ok(store::Store::open(dir_.path() + "/store", store::Store::Mode::create)));
  }
  [[nodiscard]] store::Store& store() { return *store_; }

  SchedulerRules rules;

 private:
  TempDir dir_;
  std::optional<store::Store> store_;
};

inline Outcome failed_with(int exit_code) {
  Outcome outcome;
  outcome.state = TaskState::failed;
  outcome.reason = Reason::exit;
  outcome.exit_code = exit_code;
  outcome.detail = "exit code " + std::to_string(exit_code);
  return outcome;
}

}  // namespace fabric::test
