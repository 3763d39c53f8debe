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
      case 10:
        CHECK(ok(txn_.next_unique()) == model_.next_unique);
        ++model_.next_unique;
        return;
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
    task.reason = static_cast<Reason>(below(12));
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
        if (random() % 4 == 0) continue;  // leaves nothing
        ok(txn.commit());
        model = changed;
      }
      compare(ok(store.read()), model);
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
