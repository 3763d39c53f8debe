// SPDX-License-Identifier: Apache-2.0
// What the model test draws: agents, tasks, outcomes, pauses; by the seed alone.
#pragma once

#include <algorithm>
#include <random>

#include "tests/unit/scheduler/model_world.hpp"

namespace fabric::test {

class ModelDraws {
 protected:
  explicit ModelDraws(uint64_t seed) : random_(seed), world_(draw_rules()) {}

  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  bool chance(size_t one_in) { return below(one_in) == 0; }
  Duration seconds(size_t below_this) {
    return Duration::seconds(static_cast<int64_t>(below(below_this)));
  }
  Reference& ref() { return world_.ref; }
  WallTime now() const { return world_.clock.wall; }

  DispatchRules draw_rules() {
    DispatchRules rules;
    rules.workspace_slots = chance(2) ? 5 : 0;
    rules.label_slots = {{"build", 2}, {"gpu", 1}};
    rules.pool_slots = {{"web", 2}};
    rules.share_weights = {{"s0", 3}};
    rules.scheduler.label_slots = rules.label_slots;
    rules.scheduler.max_pending_tasks = chance(3) ? 40 : 0;
    rules.scheduler.max_lost_attempts = static_cast<uint32_t>(1 + below(3));
    return rules;
  }
  void move_clock() {
    Duration by = Duration::millis(static_cast<int64_t>(below(2000)));
    if (chance(25)) by = seconds(60);
    world_.clock.mono = world_.clock.mono + by;
    if (chance(25)) by = Duration{-seconds(20).ns};
    world_.clock.wall = world_.clock.wall + by;
  }

  static constexpr std::array<const char*, 5> k_agents{"a0", "a1", "a2", "a3", "x0"};
  std::string any_agent() { return k_agents[below(k_agents.size())]; }
  Agent drawn(const std::string& id) {
    Agent agent;
    AgentDefinition& d = agent.definition;
    d.id = id;
    d.command = {"true"};
    d.max_concurrent_tasks = static_cast<uint32_t>(1 + below(3));
    d.max_queue_depth = static_cast<uint32_t>(chance(2) ? 0 : 4 + below(8));
    if (id == "a0" || id == "a2" || id == "x0") d.tools = {"browser"};
    if (id == "a1" || id == "a2") d.pool = "web";
    if (id == "a3") d.kind = AgentKind::worker, d.model = "m";
    if (id == "x0") d.kind = AgentKind::external, d.command.clear();
    return agent;
  }

  RefTask* any(const std::function<bool(const RefTask&)>& wanted) {
    const std::vector<uint64_t> found = sequences(wanted);
    return found.empty() ? nullptr : &ref().tasks.at(found[below(found.size())]);
  }
  RefTask* any(TaskState state) {
    return any([state](const RefTask& t) { return t.state == state; });
  }
  std::vector<uint64_t> sequences(const std::function<bool(const RefTask&)>& wanted) {
    std::vector<uint64_t> found;
    for (const auto& [sequence, t] : ref().tasks)
      if (wanted(t)) found.push_back(sequence);
    return found;
  }
  std::vector<RefTask*> running_of(const std::string& id) {
    std::vector<RefTask*> found;
    for (auto& [sequence, t] : ref().tasks)
      if (t.state == TaskState::running && t.agent == id) found.push_back(&t);
    return found;
  }

  Task drawn_task() {
    Task t =
        task_for(any_agent(), "t" + std::to_string(++made_), {}, static_cast<Priority>(below(4)));
    if (!ref().agents.contains(t.agent) && !ref().agents.empty() && !chance(12))
      t.agent = ref().agents.begin()->first;
    t.user = "ann";
    t.type = chance(2) ? "x" : "y";
    t.share = chance(2) ? "ann" : "s" + std::to_string(below(3));
    t.after = static_cast<AfterPolicy>(below(3));
    if (chance(3)) t.group = "g" + std::to_string(below(3));
    if (chance(4)) t.metadata = {{"k", "v" + std::to_string(below(2))}};
    if (chance(4)) t.exclusive = "K" + std::to_string(below(3));
    if (chance(6)) t.slots = chance(2) ? Slots{{"gpu", 1}} : Slots{{"build", 1 + (made_ & 1)}};
    if (chance(10)) t.start_at = now() + seconds(20);
    if (chance(10)) t.deadline = now() + Duration::seconds(1) + seconds(30);
    if (chance(10)) t.queue_ttl = Duration::seconds(1) + seconds(20);
    if (chance(6)) {
      constexpr std::array<std::pair<const char*, const char*>, 3> k_routes{
          {{"tool", "browser"}, {"pool", "web"}, {"model", "m"}}};
      const auto& [key, value] = k_routes[below(3)];
      t.require = {{key, value}};
      t.agent.clear();
    }
    if (!chance(4)) return t;
    t.retry.limit = static_cast<uint32_t>(1 + below(3));
    t.retry.backoff = must(parse_backoff(chance(2) ? "none" : chance(2) ? "5s" : "exp:1s:8s"));
    constexpr std::array<const char*, 4> k_on{"failed", "timed_out", "lost", "exit:3"};
    for (const char* on : k_on)
      if (chance(4)) t.retry.on.emplace_back(on);
    return t;
  }
  // On older tasks and on others of the batch, so that there is no cycle.
  void depend(Task& task, const std::vector<Task>& batch) {
    for (size_t n = below(4); n > 0; --n) {
      const RefTask* older = any([](const RefTask&) { return true; });
      const bool inside = !batch.empty() && chance(2);
      if (!inside && !older) continue;
      const std::string on = inside ? batch[below(batch.size())].id : older->given.id;
      if (std::find(task.depends_on.begin(), task.depends_on.end(), on) == task.depends_on.end())
        task.depends_on.push_back(on);
    }
    if (!task.depends_on.empty() && chance(3))
      task.payload = reference_to(task.depends_on[below(task.depends_on.size())]);
  }
  static std::string reference_to(const std::string& id) {
    return R"({"in": "{tasks.)" + id + R"(.result}"})";
  }
  // Makes it one that must be refused.
  bool spoil(std::vector<Task>& batch) {
    Task& last = batch.back();
    switch (below(5)) {
      case 0:
        last.depends_on.push_back("nothing");
        break;
      case 1:
        last.deadline = now();
        break;
      case 2:
        last.slots = {{"gpu", 2}};
        break;
      case 3:
        last.payload = reference_to("t0");
        break;
      default:
        if (batch.size() < 2) return true;
        batch.front().depends_on.push_back(last.id);
        last.depends_on.push_back(batch.front().id);
    }
    return false;
  }

  Outcome drawn_outcome() {
    Outcome outcome;
    switch (below(6)) {
      case 0:
        outcome.state = TaskState::failed;
        outcome.reason = Reason::exit;
        outcome.exit_code = static_cast<int>(1 + below(3));
        break;
      case 1:
        outcome.state = TaskState::failed;
        outcome.reason = Reason::memory;
        break;
      case 2:
        outcome.state = TaskState::timed_out;
        outcome.reason = chance(2) ? Reason::timeout : Reason::deadline;
        break;
      default:
        break;
    }
    if (!chance(3)) outcome.result.head = "r" + std::to_string(below(1000));
    outcome.result_bytes = outcome.result.head.size();
    return outcome;
  }
  Pause drawn_pause() {
    Pause pause;
    pause.kind = static_cast<PauseKind>(below(4));
    if (pause.kind == PauseKind::priority) pause.name = to_string(static_cast<Priority>(below(4)));
    if (pause.kind == PauseKind::agent) pause.name = any_agent();
    if (pause.kind == PauseKind::share) pause.name = "s" + std::to_string(below(3));
    return pause;
  }

  std::mt19937_64 random_;
  World world_;
  uint64_t made_ = 0;
};

}  // namespace fabric::test
