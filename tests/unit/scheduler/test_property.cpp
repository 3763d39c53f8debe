// SPDX-License-Identifier: Apache-2.0
// Random operations beside a plain model in memory: whatever happens in whatever order, the queue
// says what the model says. FABRIC_SEEDS=N runs N seeds, FABRIC_SEED=N only that one.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;
using Requeue = AgentScheduler::Requeue;

namespace {

constexpr uint32_t k_max_lost = 3;

struct ModelTask {
  Task given;  // as submitted
  uint64_t order = 0;
  Priority level = Priority::normal;
  TaskState state = TaskState::pending;
  bool stop_asked = false;
  uint64_t attempt_id = 0;
  uint32_t attempt = 0, lost = 0;
};

// The rules of the queue, written as simply as they can be said.
class Model {
 public:
  std::map<std::string, ModelTask> tasks;
  std::set<std::string> agents;
  uint64_t next_order = 1;

  [[nodiscard]] bool ready(const ModelTask& t) const {
    if (t.state != TaskState::pending) return false;
    for (const std::string& id : t.given.depends_on)
      if (tasks.at(id).state != TaskState::completed) return false;
    return true;
  }
  // After every change: what depends on something that ended badly ends too.
  void settle() {
    for (bool changed = true; changed;) {
      changed = false;
      for (auto& [id, t] : tasks) {
        if (t.state != TaskState::pending) continue;
        for (const std::string& on : t.given.depends_on) {
          TaskState state = tasks.at(on).state;
          if (!is_terminal(state) || state == TaskState::completed) continue;
          // Failed or cancelled depends on what ended first; see the comparison.
          t.state = state == TaskState::cancelled ? TaskState::cancelled : TaskState::failed;
          changed = true;
          break;
        }
      }
    }
  }
  [[nodiscard]] bool hopeless(const ModelTask& t) const {
    return std::any_of(
        t.given.depends_on.begin(), t.given.depends_on.end(), [&](const std::string& on) {
          const ModelTask& before = tasks.at(on);
          return (is_terminal(before.state) && before.state != TaskState::completed) ||
                 (before.state == TaskState::pending && hopeless(before));
        });
  }
  // What an urgent task waits for is as urgent itself; what it was asked for stays when that one
  // goes.
  void raise(const std::string& id, Priority level) {
    ModelTask& t = tasks.at(id);
    if (t.state != TaskState::pending || t.level <= level) return;
    t.level = level;
    for (const std::string& on : t.given.depends_on) raise(on, level);
  }
  [[nodiscard]] std::string next(const std::string& agent) const {
    const ModelTask* best = nullptr;
    for (const auto& [id, t] : tasks) {
      if (t.given.agent != agent || !ready(t)) continue;
      if (!best || t.level < best->level || (t.level == best->level && t.order < best->order))
        best = &t;
    }
    return best ? best->given.id : "";
  }
};

class Run {
 public:
  explicit Run(uint64_t seed) : random_(seed), queue_(std::vector<std::string>{}) {}

  void step() {
    queue_.pass(Duration::millis(1 + static_cast<int64_t>(below(1000))));
    switch (below(20)) {
      case 0:
        return spawn();
      case 1:
      case 2:
      case 3:
      case 4:
        return schedule();
      case 5:
        return schedule_again();
      case 6:
      case 7:
      case 8:
      case 9:
      case 10:
        return claim();
      case 11:
      case 12:
      case 13:
        return finish();
      case 14:
        return stale();
      case 15:
        return requeue();
      case 16:
      case 17:
        return cancel();
      case 18:
        return below(6) == 0 ? terminate() : claim();
      default:
        return below(4) == 0 ? queue_.reopen() : claim();
    }
  }

  void compare() {
    store::ReadTxn txn = ok(queue_.store().read());
    TaskCounts counts;
    for (const auto& [id, expected] : model_.tasks) {
      INFO("task " << id);
      std::optional<Task> task = ok(txn.find_task(id));
      REQUIRE(task);
      counts.of(task->state) += 1;
      REQUIRE(task->state == expected.state);
      REQUIRE(task->attempt == expected.attempt);
      REQUIRE(task->attempt_id == expected.attempt_id);
      REQUIRE(task->lost_attempts == expected.lost);
      REQUIRE(task->finished_at.set() == is_terminal(task->state));
      if (task->state != TaskState::pending) continue;
      REQUIRE((task->waiting_on == 0) == model_.ready(expected));
      REQUIRE((task->reason == Reason::queued) == model_.ready(expected));
    }
    for (int s = 0; s < k_task_states; ++s) {
      auto state = static_cast<TaskState>(s);
      REQUIRE(ok(txn.counts()).of(state) == counts.of(state));
    }
  }
  void check_store() { require_clean(queue_.store()); }

 private:
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }

  ModelTask* any(TaskState state) {
    std::vector<ModelTask*> found;
    for (auto& [id, t] : model_.tasks)
      if (t.state == state) found.push_back(&t);
    return found.empty() ? nullptr : found[below(found.size())];
  }
  std::string any_agent() { return "a" + std::to_string(below(4)); }

  void spawn() {
    std::string id = any_agent();
    if (!model_.agents.insert(id).second) return;
    ok(queue_.in_txn([&](AgentScheduler&, store::WriteTxn& txn) {
      Agent agent;
      agent.definition.id = id;
      agent.definition.command = {"true"};
      return txn.save_agent(agent);
    }));
  }

  void schedule() {
    std::vector<Task> batch(1 + below(below(8) == 0 ? 30 : 4));
    bool accepted = true;
    for (size_t i = 0; i < batch.size(); ++i) {
      batch[i] =
          task_for(any_agent(), "t" + std::to_string(++made_), {}, static_cast<Priority>(below(4)));
      if (!model_.agents.contains(batch[i].agent) && below(10) != 0 && !model_.agents.empty())
        batch[i].agent = *model_.agents.begin();
      if (!model_.agents.contains(batch[i].agent)) accepted = false;
      // On older tasks, on others of the batch, and now and then on nothing.
      for (size_t n = below(4); n > 0; --n) {
        size_t k = 1 + below(made_);
        std::string on = "t" + std::to_string(k);
        bool inside = k > made_ - i - 1;
        if (on == batch[i].id || (!inside && !model_.tasks.contains(on))) continue;
        batch[i].depends_on.push_back(on);
      }
    }
    if (below(15) == 0) {
      batch.back().depends_on.push_back("nothing");
      accepted = false;
    }
    if (batch.size() > 1 && below(15) == 0) {  // front -> back -> front
      batch.back().depends_on.push_back(batch.front().id);
      batch.front().depends_on.push_back(batch.back().id);
      accepted = false;
    }
    std::vector<Task> submitted = batch;
    std::shuffle(submitted.begin(), submitted.end(), random_);
    Result<std::vector<Scheduled>> done = queue_.schedule(submitted);
    INFO(refusal(done));
    REQUIRE(done.has_value() == accepted);
    if (!accepted) return;
    // Sequences say in which order they were added: dependencies first.
    for (size_t i = 0; i < done->size(); ++i) {
      const Task& t = (*done)[i].task;
      REQUIRE(t.id == submitted[i].id);
      REQUIRE_FALSE((*done)[i].existed);
      ModelTask added;
      added.given = submitted[i];
      added.order = t.sequence;
      added.level = submitted[i].priority;
      model_.tasks[t.id] = added;
    }
    // In the order in which they were added.
    std::vector<const ModelTask*> added_now;
    for (const Scheduled& s : *done) added_now.push_back(&model_.tasks.at(s.task.id));
    std::sort(added_now.begin(), added_now.end(),
              [](const ModelTask* a, const ModelTask* b) { return a->order < b->order; });
    for (const ModelTask* t : added_now)
      if (!model_.hopeless(*t))
        for (const std::string& on : t->given.depends_on) model_.raise(on, t->level);
    for (const Scheduled& s : *done)
      for (const std::string& on : s.task.depends_on)
        REQUIRE(model_.tasks.at(on).order < s.task.sequence);
    settle_like_the_store();
  }

  void schedule_again() {
    if (model_.tasks.empty()) return;
    auto it = model_.tasks.begin();
    std::advance(it, static_cast<long>(below(model_.tasks.size())));
    Task task = it->second.given;
    const bool other = below(2) == 0;
    if (other) task.payload = "7";
    Result<std::vector<Scheduled>> done = queue_.schedule(task);
    REQUIRE(done.has_value() == !other);
    if (!other) REQUIRE((*done)[0].existed);
  }

  void claim() {
    if (model_.agents.empty()) return;
    auto it = model_.agents.begin();
    std::advance(it, static_cast<long>(below(model_.agents.size())));
    std::optional<Task> task = queue_.claim(*it);
    REQUIRE((task ? task->id : "") == model_.next(*it));
    if (!task) return;
    ModelTask& t = model_.tasks.at(task->id);
    t.state = TaskState::running;
    t.attempt += 1;
    REQUIRE(task->attempt_id > last_attempt_);
    t.attempt_id = last_attempt_ = task->attempt_id;
  }

  Task handle_of(const ModelTask& t) {
    Task task;
    task.sequence = t.order;
    task.attempt_id = t.attempt_id;
    return task;
  }
  void end(ModelTask& t, TaskState state) {
    t.state = t.stop_asked ? TaskState::cancelled : state;
    settle_like_the_store();
  }

  void finish() {
    ModelTask* t = any(TaskState::running);
    if (!t) return;
    Outcome outcome;
    constexpr std::array<TaskState, 4> k_ends{TaskState::completed, TaskState::completed,
                                              TaskState::failed, TaskState::timed_out};
    outcome.state = k_ends[below(4)];
    REQUIRE(queue_.finish(handle_of(*t), outcome));
    end(*t, outcome.state);
  }

  void stale() {
    ModelTask* t = any(static_cast<TaskState>(below(k_task_states)));
    if (!t) return;
    Task handle = handle_of(*t);
    if (t->state == TaskState::running) handle.attempt_id -= 1;
    REQUIRE_FALSE(queue_.finish(handle));
    REQUIRE_FALSE(queue_.requeue(handle, Requeue::lost));
  }

  void requeue() {
    ModelTask* t = any(TaskState::running);
    if (!t) return;
    auto why = static_cast<Requeue>(below(3));
    REQUIRE(queue_.requeue(handle_of(*t), why));
    if (t->stop_asked) return end(*t, TaskState::cancelled);
    if (why == Requeue::lost && ++t->lost >= k_max_lost) return end(*t, TaskState::failed);
    t->state = TaskState::pending;
  }

  void cancel() {
    ModelTask* t = any(static_cast<TaskState>(below(k_task_states)));
    if (!t) return;
    Result<AgentScheduler::Cancelled> done = queue_.cancel(t->given.id);
    REQUIRE(done.has_value() == !is_terminal(t->state));
    if (!done) return;
    if (t->state == TaskState::running)
      t->stop_asked = true;
    else
      end(*t, TaskState::cancelled);
  }

  void terminate() {
    if (model_.agents.empty()) return;
    std::string id = *model_.agents.begin();
    AgentScheduler::AgentGone gone = queue_.cancel_all(id);
    uint64_t pending_before = 0, pending_after = 0;
    std::vector<uint64_t> running;
    for (auto& [unused, t] : model_.tasks) {
      pending_before += t.state == TaskState::pending ? 1 : 0;
      if (t.given.agent != id) continue;
      if (t.state == TaskState::running) {
        t.stop_asked = true;
        running.push_back(t.order);
      }
      if (t.state == TaskState::pending) t.state = TaskState::cancelled;
    }
    settle_like_the_store();
    for (auto& [unused, t] : model_.tasks) pending_after += t.state == TaskState::pending ? 1 : 0;
    REQUIRE(gone.cancelled == pending_before - pending_after);
    REQUIRE(gone.running.size() == running.size());
    // Its running tasks end before its record goes.
    for (const Task& task : gone.running) {
      REQUIRE(queue_.requeue(task, Requeue::lost));
      end(model_.tasks.at(task.id), TaskState::cancelled);
    }
    ok(queue_.in_txn([&](AgentScheduler&, store::WriteTxn& txn) { return txn.remove_agent(id); }));
    model_.agents.erase(id);
  }

  // Which tasks end is the model's word. Whether one with both a failed and a cancelled ancestor
  // ends as failed or as cancelled depends on which is told first: there the store's word is taken,
  // as long as some dependency explains it.
  void settle_like_the_store() {
    std::set<std::string> before;
    for (const auto& [id, t] : model_.tasks)
      if (t.state == TaskState::pending) before.insert(id);
    model_.settle();
    store::ReadTxn txn = ok(queue_.store().read());
    std::vector<ModelTask*> ended;
    for (const std::string& id : before) {
      ModelTask& t = model_.tasks.at(id);
      if (t.state == TaskState::pending) continue;
      TaskState stored = ok(txn.find_task(id))->state;
      REQUIRE((stored == TaskState::failed || stored == TaskState::cancelled));
      t.state = stored;
      ended.push_back(&t);
    }
    for (ModelTask* t : ended) {
      bool explained = false;
      for (const std::string& on : t->given.depends_on) {
        TaskState state = model_.tasks.at(on).state;
        if (!is_terminal(state) || state == TaskState::completed) continue;
        bool cancelled = state == TaskState::cancelled;
        explained = explained || cancelled == (t->state == TaskState::cancelled);
      }
      REQUIRE(explained);
    }
  }

  std::mt19937_64 random_;
  Queue queue_;
  Model model_;
  size_t made_ = 0;
  uint64_t last_attempt_ = 0;
};

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

TEST_CASE("random operations: the queue is its model") {
  const uint64_t one = number_from("FABRIC_SEED", 0);
  const uint64_t first = one != 0 ? one : 1;
  const uint64_t last = one != 0 ? one : number_from("FABRIC_SEEDS", 12);
  for (uint64_t seed = first; seed <= last; ++seed) {
    INFO("seed " << seed);
    Run run(seed);
    for (int i = 0; i < 600; ++i) {
      run.step();
      if (i % 20 == 0) run.compare();
    }
    run.compare();
    run.check_store();
  }
}
