// SPDX-License-Identifier: Apache-2.0
// Random changes beside a plain model in memory, with transactions inside transactions that vanish,
// and reopening in between: the store says what the model says, and its check finds nothing.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

struct Model {
  std::map<uint64_t, Task> tasks;
  std::map<uint64_t, uint32_t> numbers;  // of the agent that a task was added to
  std::map<uint64_t, std::string> results;
  std::map<std::string, Agent> agents;
  std::set<std::pair<uint64_t, uint64_t>> edges;
  std::map<std::string, uint64_t> holders;
  std::map<uint64_t, std::map<std::pair<uint32_t, bool>, std::string>> attempts;
  std::vector<std::string> events;
  uint64_t next_task = 1, next_unique = 1;
  uint32_t next_agent = 1;
};

class Run {
 public:
  Run(WriteTxn& txn, Model& model, std::mt19937_64& random)
      : txn_(txn), model_(model), random_(random) {}

  void step(int depth) {
    switch (below(12)) {
      case 0:
        return add_agent();
      case 1:
        return below(4) == 0 ? remove_agent() : save_agent();
      case 2:
      case 3:
      case 4:
        return add();
      case 5:
      case 6:
      case 7:
        return save();
      case 8:
        return below(2) == 0 ? remove() : release();
      case 9:
        return result();
      case 10: {
        Event event;
        event.detail = std::to_string(below(1000));
        ok(txn_.add_event(event));
        model_.events.push_back(event.detail);
        CHECK(event.sequence == model_.events.size());
        CHECK(ok(txn_.next_unique()) == model_.next_unique);
        ++model_.next_unique;
        return;
      }
      default:
        return nested(depth);
    }
  }

 private:
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  template <class Map>
  auto any(Map& map) {
    auto it = map.begin();
    std::advance(it, static_cast<long>(below(map.size())));
    return it;
  }

  void nested(int depth) {
    if (depth > 2) return;
    WriteTxn inner = ok(txn_.nested());
    Model copy = model_;
    Run run(inner, copy, random_);
    for (size_t i = below(8); i > 0; --i) run.step(depth + 1);
    if (below(2) == 0) return;  // leaves nothing
    ok(inner.commit());
    model_ = copy;
  }

  void add_agent() {
    Agent agent = agent_named("agent" + std::to_string(below(5)));
    const bool exists = model_.agents.contains(agent.definition.id);
    CHECK(txn_.save_agent(agent).has_value() == !exists);
    if (exists) return;
    CHECK(agent.number == model_.next_agent++);
    model_.agents[agent.definition.id] = agent;
  }
  void save_agent() {
    if (model_.agents.empty()) return;
    Agent& agent = any(model_.agents)->second;
    agent.detail = std::string(below(300), 'd');
    agent.restarts++;
    ok(txn_.save_agent(agent));
  }
  void remove_agent() {
    if (model_.agents.empty()) return;
    auto it = any(model_.agents);
    ok(txn_.remove_agent(it->first));
    model_.agents.erase(it);
  }

  void add() {
    Task task = task_of("agent" + std::to_string(below(5)), "t" + std::to_string(below(1 << 20)));
    task.priority = static_cast<Priority>(below(4));
    task.payload = std::string(below(20) == 0 ? 900 + below(5000) : below(200), 'p');
    for (size_t i = below(3); i > 0; --i) task.metadata.emplace_back(std::to_string(i), "v");
    if (below(3) == 0) task.group = "g" + std::to_string(below(3));
    if (below(3) == 0) task.exclusive = "K" + std::to_string(below(2));
    if (below(4) == 0) task.deadline.us = static_cast<int64_t>(1 + below(1 << 20));
    if (below(4) == 0) task.queue_ttl = Duration::millis(static_cast<int64_t>(1 + below(1000)));
    task.share = "s" + std::to_string(below(2));
    // What the scheduler does: who needs the key waits.
    if (!task.exclusive.empty()) task.reason = Reason::exclusive;
    std::vector<uint64_t> open;
    for (size_t i = below(4); i > 2 && !model_.tasks.empty(); --i) {
      auto it = any(model_.tasks);
      if (is_terminal(it->second.state)) continue;
      open.push_back(it->first);
      task.depends_on.push_back(it->second.id);
    }
    bool expected = model_.agents.contains(task.agent);
    for (const auto& [sequence, other] : model_.tasks) expected = expected && other.id != task.id;
    CHECK(txn_.add_task(task, open).has_value() == expected);
    if (!expected) return;
    CHECK(task.sequence == model_.next_task++);
    model_.tasks[task.sequence] = task;
    model_.numbers[task.sequence] = model_.agents.at(task.agent).number;
    for (uint64_t dependency : open) model_.edges.emplace(dependency, task.sequence);
  }

  void save() {
    if (model_.tasks.empty()) return;
    Task& task = any(model_.tasks)->second;
    if (is_terminal(task.state)) return;
    task.state = static_cast<TaskState>(below(k_task_states));
    task.reason = static_cast<Reason>(below(static_cast<size_t>(k_last_reason) + 1));
    const bool holds = task.state == TaskState::running ||
                       (task.state == TaskState::pending && task.reason == Reason::queued);
    if (!task.exclusive.empty()) {
      uint64_t& holder = model_.holders[task.exclusive];
      if (holds && holder != 0 && holder != task.sequence) {
        task.state = TaskState::pending;
        task.reason = Reason::exclusive;
      } else if (holds) {
        holder = task.sequence;
      } else if (holder == task.sequence) {
        holder = 0;
      }
      ok(txn_.set_exclusive_holder(task.exclusive, holder));
    }
    task.not_before.us = static_cast<int64_t>(below(1 << 20));
    task.lease_until.us = static_cast<int64_t>(below(3) * below(1 << 20));
    task.lane.level = static_cast<Priority>(below(4));
    task.dead = is_terminal(task.state) && below(2) == 0;
    task.attempt = static_cast<uint32_t>(below(3));
    if (below(3) == 0) {
      Attempt attempt;
      attempt.number = static_cast<uint32_t>(1 + below(3));
      attempt.late = below(2) == 0;
      attempt.detail = std::string(below(20), 'a');
      ok(txn_.save_attempt(task.sequence, attempt));
      model_.attempts[task.sequence][{attempt.number, attempt.late}] = attempt.detail;
    }
    task.detail = std::string(below(100), 'x');
    task.exit_code = below(2) == 0 ? std::optional<int>(-1) : std::nullopt;
    task.priority = static_cast<Priority>(below(4));
    if (is_terminal(task.state)) task.finished_at.us = static_cast<int64_t>(below(1 << 30));
    task.attempt_id = below(model_.next_unique);
    task.usage.input_tokens += below(2) * 1000;
    ok(txn_.save_task(task));
    if (is_terminal(task.state)) {
      while (release_one(task.sequence)) {
      }
    }
  }

  // What the scheduler does when a dependency has ended.
  bool release_one(uint64_t dependency) {
    auto it = model_.edges.lower_bound({dependency, 0});
    if (it == model_.edges.end() || it->first != dependency) return false;
    Task& dependent = model_.tasks.at(it->second);
    ok(txn_.remove_edge(dependency, dependent.sequence));
    model_.edges.erase(it);
    if (!is_terminal(dependent.state)) {
      --dependent.waiting_on;
      ok(txn_.save_task(dependent));
    }
    return true;
  }
  void release() {
    if (!model_.edges.empty()) release_one(model_.edges.begin()->first);
  }

  void remove() {
    if (model_.tasks.empty()) return;
    auto it = any(model_.tasks);
    const uint64_t sequence = it->first;
    // Whoever removes has let go of those that wait.
    for (const auto& [dependency, dependent] : model_.edges)
      if (dependency == sequence && !is_terminal(model_.tasks.at(dependent).state)) return;
    const bool ended = is_terminal(it->second.state);
    CHECK(txn_.remove_task(sequence).has_value() == ended);
    if (!ended) return;
    std::erase_if(model_.edges, [sequence](const auto& edge) {
      return edge.first == sequence || edge.second == sequence;
    });
    model_.tasks.erase(it);
    model_.results.erase(sequence);
    model_.numbers.erase(sequence);
    model_.attempts.erase(sequence);
  }

  void result() {
    if (model_.tasks.empty()) return;
    const uint64_t sequence = any(model_.tasks)->first;
    model_.results[sequence] = std::string(below(9000), 'r');
    ok(txn_.save_result(sequence, {model_.results[sequence], true}));
  }

  WriteTxn& txn_;
  Model& model_;
  std::mt19937_64& random_;
};

void compare(const ReadTxn& txn, const Model& model) {
  const std::vector<Task> all = ok(txn.list_tasks(filter()));
  REQUIRE(all.size() == model.tasks.size());
  std::map<uint32_t, TaskCounts> counts;
  std::map<uint32_t, std::vector<uint64_t>> pending;
  std::map<uint32_t, std::optional<uint64_t>> ready;
  std::vector<uint64_t> running;
  size_t i = all.size();
  for (const auto& [sequence, task] : model.tasks) {
    REQUIRE(shown(all[--i]) == shown(task));
    REQUIRE(shown(*ok(txn.find_task(task.id))) == shown(task));
    const uint32_t number =
        task.state == TaskState::pending ? task.lane.queue : model.numbers.at(sequence);
    ++counts[0].of(task.state);
    ++counts[number].of(task.state);
    if (task.state == TaskState::running) running.push_back(sequence);
    if (task.state != TaskState::pending) continue;
    pending[number].push_back(sequence);
    auto& next = ready[number];
    if (task.reason == Reason::queued &&
        (!next || task.lane.level < model.tasks.at(*next).lane.level))
      next = sequence;
  }
  CHECK(ok(txn.running_tasks()) == running);
  for (uint32_t number = 0; number < model.next_agent; ++number) {
    for (int s = 0; s < k_task_states; ++s)
      CHECK(ok(txn.counts(number)).of(static_cast<TaskState>(s)) ==
            counts[number].of(static_cast<TaskState>(s)));
    CHECK(ok(txn.pending_tasks(number, 1 << 20)) == pending[number]);
    CHECK(ok(next_ready(txn, number)) == ready[number]);
  }
  for (const auto& [sequence, head] : model.results)
    CHECK(ok(txn.find_result(sequence))->head == head);
  const std::vector<Agent> agents = ok(txn.list_agents());
  REQUIRE(agents.size() == model.agents.size());
  for (const Agent& agent : agents) {
    const Agent& expected = model.agents.at(agent.definition.id);
    CHECK(agent.number == expected.number);
    CHECK(agent.detail == expected.detail);
    CHECK(agent.restarts == expected.restarts);
  }
  for (const auto& [dependency, dependent] : model.edges) {
    const std::vector<uint64_t> found = ok(txn.dependents(dependency));
    CHECK(std::find(found.begin(), found.end(), dependent) != found.end());
  }
}

// What follows from tasks, in the tables of the queue.
int64_t timer(const Task& task) {
  std::vector<int64_t> times;
  if (task.state == TaskState::pending) {
    if (task.reason == Reason::not_before) times.push_back(task.not_before.us);
    times.push_back(task.deadline.us);
    if (task.queue_ttl.ns != 0 && task.attempt == 0)
      times.push_back((task.created_at + task.queue_ttl).us);
  } else if (task.state == TaskState::running && task.lease_until.us != 0) {
    times = {task.lease_until.us, task.deadline.us};
  }
  std::erase(times, 0);
  return times.empty() ? 0 : *std::min_element(times.begin(), times.end());
}

void compare_queue(const ReadTxn& txn, const Model& model) {
  std::map<Lane, std::vector<uint64_t>> lanes;
  std::map<std::string, std::vector<uint64_t>> groups;
  std::vector<std::pair<int64_t, uint64_t>> timers;
  std::vector<uint64_t> dead;
  std::map<std::string, std::vector<std::pair<Priority, uint64_t>>> waiters;
  for (const auto& [sequence, task] : model.tasks) {
    if (!task.group.empty()) groups[task.group].push_back(sequence);
    if (const int64_t at = timer(task); at != 0) timers.emplace_back(at, sequence);
    if (task.dead) dead.push_back(sequence);
    if (task.state != TaskState::pending) continue;
    if (task.reason == Reason::queued) lanes[task.lane].push_back(sequence);
    if (task.reason == Reason::exclusive && !task.exclusive.empty())
      waiters[task.exclusive].emplace_back(task.lane.level, sequence);
  }
  const std::vector<LaneBacklog> ready = ok(txn.ready_lanes());
  REQUIRE(ready.size() == lanes.size());
  size_t next = 0;
  for (const auto& [lane, sequences] : lanes) {
    CHECK(ready[next].lane == lane);
    CHECK(ready[next++].ready == sequences.size());
    CHECK(ok(txn.lane_head(lane)) == sequences[0]);
    CHECK(ok(txn.tasks_before(model.tasks.at(sequences.back()), 1000)) == sequences.size() - 1);
  }
  for (const auto& [group, sequences] : groups) CHECK(ok(txn.group_tasks(group)) == sequences);
  std::sort(timers.begin(), timers.end());
  std::vector<uint64_t> due;
  for (const auto& [at, sequence] : timers) due.push_back(sequence);
  CHECK(ok(txn.due_timers({int64_t{1} << 60}, 100000)) == due);
  CHECK(ok(txn.next_timer()).value_or(WallTime{}).us == (timers.empty() ? 0 : timers[0].first));
  CHECK(ok(txn.dead_tasks()) == dead);
  for (const std::string key : {"K0", "K1"}) {
    const auto holder = model.holders.find(key);
    CHECK(ok(txn.exclusive_holder(key)).value_or(0) ==
          (holder == model.holders.end() ? 0 : holder->second));
    auto& waiting = waiters[key];
    std::sort(waiting.begin(), waiting.end());
    CHECK(ok(txn.next_exclusive_waiter(key)).value_or(0) ==
          (waiting.empty() ? 0 : waiting[0].second));
  }
  for (const auto& [sequence, task] : model.tasks) {
    std::map<std::pair<uint32_t, bool>, std::string> attempts;
    for (const Attempt& a : ok(txn.attempts(sequence))) attempts[{a.number, a.late}] = a.detail;
    CHECK(attempts ==
          (model.attempts.contains(sequence) ? model.attempts.at(sequence) : decltype(attempts){}));
  }
  std::vector<std::string> events;
  for (const Event& event : ok(txn.events(0, 1 << 20))) events.push_back(event.detail);
  CHECK(events == model.events);
}

}  // namespace

TEST_CASE("random changes: the store is its model") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    TempDir dir(k_memory);
    Model model;
    for (int round = 0; round < 6; ++round) {
      Store store = create(dir);
      for (int batch = 0; batch < 5; ++batch) {
        WriteTxn txn = ok(store.write());
        Model changed = model;
        Run run(txn, changed, random);
        for (int i = 0; i < 40; ++i) run.step(0);
        compare(txn, changed);
        compare_queue(txn, changed);
        if (random() % 4 == 0) continue;  // leaves nothing
        ok(txn.commit());
        model = changed;
      }
      compare(ok(store.read()), model);
      compare_queue(ok(store.read()), model);
      require_clean(store);
    }
    if (seed % 10 == 0) {
      ok(compact(dir.store()));
      Store store = ok(Store::open(dir.store(), Store::Mode::read));
      compare(ok(store.read()), model);
      require_clean(store);
    }
  }
}
