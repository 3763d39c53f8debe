// SPDX-License-Identifier: Apache-2.0
// Random operations, each done to the store and to the model. What is drawn depends on the seed
// alone, so a seed and a number of steps say all.
#pragma once

#include <algorithm>
#include <random>

#include "tests/unit/scheduler/model_world.hpp"

namespace fabric::test {

class ModelRun {
 public:
  explicit ModelRun(uint64_t seed) : random_(seed), world_(draw_rules()) {}

  void step() {
    move_clock();
    const bool lost = chance(40);
    const size_t operation = below(k_operations);
    last_ = "operation " + std::to_string(operation) + (lost ? ", lost" : "");
    world_.transaction(lost, [&](store::WriteTxn& txn) {
      if (!chance(3)) world_.tick(txn);
      operate(txn, operation);
      if (chance(8))
        world_.written_by_another();
      else
        world_.fill(txn);
    });
    if (chance(60)) world_.reopen();
  }
  void compare() { world_.compare(); }
  [[nodiscard]] const std::string& last() const { return last_; }

 private:
  using Requeue = AgentScheduler::Requeue;
  static constexpr size_t k_operations = 40;

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

  void operate(store::WriteTxn& txn, size_t operation) {
    if (operation < 2) return spawn(txn);
    if (operation < 12) return schedule(txn);
    if (operation < 20) return finish(txn);
    switch (operation) {
      case 20:
        return schedule_again(txn);
      case 21:
        return stale(txn);
      case 22:
      case 23:
        return requeue(txn);
      case 24:
      case 25:
        return cancel(txn);
      case 26:
        return chance(3) ? cancel_matching(txn) : finish(txn);
      case 27:
        return retry(txn);
      case 28:
      case 29:
        return change(txn);
      case 30:
        return chance(2) ? pause(txn) : resume(txn);
      case 31:
        return resume(txn);
      case 32:
        return chance(5) ? terminate(txn) : fall_or_stand(txn);
      case 33:
        return fall_or_stand(txn);
      case 34:
      case 35:
        return claim(txn);
      case 36:
        return extend_or_release(txn);
      case 37:
        return complete(txn);
      case 38:
        return use(txn);
      default:
        return remove(txn);
    }
  }

  // ---- agents

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
  void spawn(store::WriteTxn& txn) {
    const std::string id = any_agent();
    if (ref().agents.contains(id)) return;
    Agent agent = drawn(id);
    must(txn.save_agent(agent));
    ref().agents[id] = agent;
    if (agent.definition.kind != AgentKind::external) world_.stand(agent);
  }
  void fall_or_stand(store::WriteTxn& txn) {
    const std::string id = any_agent();
    auto agent = ref().agents.find(id);
    if (agent == ref().agents.end() || agent->second.definition.kind == AgentKind::external) return;
    if (!world_.stands(id)) return world_.stand(agent->second);
    world_.fall(id);
    for (RefTask* t : running_of(id)) back(txn, *t, static_cast<Requeue>(below(3)));
  }
  void terminate(store::WriteTxn& txn) {
    const std::string id = any_agent();
    if (!ref().agents.contains(id)) return;
    const Agent agent = ref().agents.at(id);
    world_.fall(id);
    const AgentScheduler::AgentGone gone = must(world_.attempt(
        txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.cancel_all(agent); }));
    const uint64_t before = ended();
    for (uint64_t sequence : sequences([&](const RefTask& t) {
           return t.state == TaskState::pending && t.queue == agent.number;
         }))
      if (RefTask& t = ref().tasks.at(sequence); t.state == TaskState::pending)
        ref().cancel(t, Reason::agent_gone);
    for (RefTask* t : running_of(id)) ref().cancel(*t, Reason::agent_gone);
    same(gone.cancelled, ended() - before, "tasks that went with " + id);
    same(gone.running.size(), running_of(id).size(), "running tasks of " + id);
    for (RefTask* t : running_of(id)) back(txn, *t, Requeue::lost);
    must(world_.attempt(
        txn, [&](AgentScheduler&, store::WriteTxn& nested) { return nested.remove_agent(id); }));
    ref().agents.erase(id);
  }
  uint64_t ended() {
    return sequences([](const RefTask& t) { return is_terminal(t.state); }).size();
  }

  // ---- scheduling

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

  void schedule(store::WriteTxn& txn) {
    std::vector<Task> batch;
    for (size_t n = 1 + below(chance(8) ? 12 : 3); n > 0; --n) {
      Task task = drawn_task();
      depend(task, batch);
      batch.push_back(std::move(task));
    }
    bool sound = true;
    if (chance(25)) sound = spoil(batch);
    const bool expected = sound && ref().accepts(batch);
    std::shuffle(batch.begin(), batch.end(), random_);
    Result<std::vector<Scheduled>> done =
        world_.attempt(txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.schedule(batch); });
    same(done.has_value(), expected, done ? "a batch was accepted" : done.error().message);
    if (!done) return;
    std::vector<std::pair<uint64_t, const Task*>> order;
    for (size_t i = 0; i < batch.size(); ++i)
      order.emplace_back((*done)[i].task.sequence, &batch[i]);
    std::sort(order.begin(), order.end());
    for (const auto& [sequence, task] : order) {
      for (const std::string& id : task->depends_on)
        same(ref().find(id) != nullptr, task->id + " was added before what it needs");
      same(ref().add(*task), task->id + " is not acceptable");
      same(ref().given_sequences, sequence, task->id + ": sequence");
    }
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
  void schedule_again(store::WriteTxn& txn) {
    const RefTask* t = any([](const RefTask&) { return true; });
    if (!t) return;
    Task task = t->given;
    const bool other = chance(2);
    if (other) task.type = "z";
    const auto done = world_.attempt(
        txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.schedule({task}); });
    same(done.has_value(), !other, task.id + " again");
    if (done) same((*done)[0].existed, task.id + " was added again");
  }

  // ---- attempts

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
  void finish(store::WriteTxn& txn) {
    RefTask* t = any([](const RefTask& task) {
      return task.state == TaskState::running && !task.lease_until.set();
    });
    if (!t) return;
    const Outcome outcome = drawn_outcome();
    const auto done = must(world_.attempt(txn, [&](AgentScheduler& s, store::WriteTxn&) {
      return s.finish(t->sequence, t->attempt_id, outcome);
    }));
    same(done.has_value(), t->given.id + ": its end was refused");
    ref().finish(*t, outcome);
  }
  void stale(store::WriteTxn& txn) {
    const RefTask* t = any([](const RefTask&) { return true; });
    if (!t) return;
    const uint64_t id = t->state == TaskState::running ? t->attempt_id - 1 : t->attempt_id;
    world_.attempt(txn, [&](AgentScheduler& s, store::WriteTxn&) -> Status {
      same(!must(s.finish(t->sequence, id, {})), t->given.id + ": a stale end");
      same(!must(s.requeue(t->sequence, id, Requeue::lost, "")), t->given.id + ": a stale loss");
      return {};
    });
  }
  void back(store::WriteTxn& txn, RefTask& t, Requeue why) {
    const auto done = must(world_.attempt(txn, [&](AgentScheduler& s, store::WriteTxn&) {
      return s.requeue(t.sequence, t.attempt_id, why, "because");
    }));
    same(done.has_value(), t.given.id + ": its requeue was refused");
    ref().requeue(t, why);
  }
  void requeue(store::WriteTxn& txn) {
    if (RefTask* t = any(TaskState::running)) back(txn, *t, static_cast<Requeue>(below(3)));
  }
  void use(store::WriteTxn& txn) {
    RefTask* t = any(TaskState::running);
    if (!t) return;
    Usage usage;
    usage.output_tokens = 5;
    must(world_.attempt(txn, [&](AgentScheduler& s, store::WriteTxn&) {
      return s.add_usage(t->sequence, t->attempt_id, usage);
    }));
    t->output_tokens += 5;
  }

  // ---- external agents

  void claim(store::WriteTxn& txn) {
    auto agent = ref().agents.find("x0");
    if (agent == ref().agents.end()) return;
    static_cast<void>(world_.claim_for(txn, agent->second, Duration::seconds(1) + seconds(15)));
  }
  RefTask* any_of_external() {
    return any([](const RefTask& t) { return t.agent == "x0" && t.attempt > 0; });
  }
  // Whether this lease still holds, and another that does not.
  static bool leased(const RefTask& t) {
    return t.state == TaskState::running && t.lease_until.set();
  }
  void extend_or_release(store::WriteTxn& txn) {
    RefTask* t = any_of_external();
    if (!t) return;
    const uint64_t lease = t->attempt_id - (chance(4) ? 1 : 0);
    const bool expected = leased(*t) && lease == t->attempt_id;
    if (chance(2)) {
      const auto done = world_.attempt(txn, [&](AgentScheduler& s, store::WriteTxn&) {
        return s.extend(t->given.id, lease, Duration::seconds(9));
      });
      same(done.has_value(), expected, t->given.id + ": extend");
      if (!done) return;
      t->lease_until = now() + Duration::seconds(9);
      return ref().say(EventKind::task_extended, *t);
    }
    const auto done = world_.attempt(
        txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.release(t->given.id, lease); });
    same(done.has_value(), expected, t->given.id + ": release");
    if (done) ref().requeue(*t, Requeue::interrupted);
  }
  void complete(store::WriteTxn& txn) {
    RefTask* t = any_of_external();
    if (!t) return;
    const uint64_t lease = t->attempt_id - (chance(4) ? 1 : 0);
    const Outcome outcome = drawn_outcome();
    const auto done = world_.attempt(txn, [&](AgentScheduler& s, store::WriteTxn&) {
      return s.complete(t->given.id, lease, outcome);
    });
    const bool late = is_terminal(t->state);
    same(done.has_value(), late || (leased(*t) && lease == t->attempt_id),
         t->given.id + ": complete");
    if (!done) return;
    same(done->late, late, t->given.id + ": late");
    if (!late) return ref().finish(*t, outcome);
    if (lease != t->attempt_id) return;
    std::erase_if(t->attempts, [](const RefAttempt& a) { return a.late; });
    t->attempts.push_back({t->attempt, lease, outcome.state, outcome.reason, true});
    ref().say(EventKind::task_late_result, *t);
  }

  // ---- what people do

  void cancel(store::WriteTxn& txn) {
    RefTask* t = any([](const RefTask&) { return true; });
    if (!t) return;
    const auto done = world_.attempt(
        txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.cancel(t->given.id); });
    same(done.has_value(), !is_terminal(t->state), t->given.id + ": cancel");
    if (done) ref().cancel(*t, Reason::user);
  }
  void cancel_matching(store::WriteTxn& txn) {
    store::TaskFilter filter;
    filter.limit = 0;
    if (chance(2)) filter.agent = any_agent();
    if (chance(2)) filter.group = "g0";
    if (chance(3)) filter.metadata = {{"k", "v1"}};
    if (chance(3)) filter.type = "x";
    if (chance(3)) filter.state = chance(2) ? TaskState::pending : TaskState::running;
    const auto matches = [&](const RefTask& t) {
      return (filter.agent.empty() || t.agent == filter.agent) &&
             (filter.group.empty() || t.given.group == filter.group) &&
             (filter.metadata.empty() || t.given.metadata == filter.metadata) &&
             (filter.type.empty() || t.given.type == filter.type) &&
             (!filter.state || t.state == *filter.state);
    };
    std::vector<uint64_t> wanted;  // pending ones first, newest first
    for (TaskState state : {TaskState::pending, TaskState::running}) {
      const std::vector<uint64_t> found =
          sequences([&](const RefTask& t) { return t.state == state && matches(t); });
      wanted.insert(wanted.end(), found.rbegin(), found.rend());
    }
    const bool dry = chance(3);
    const auto done = must(world_.attempt(
        txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.cancel_matching(filter, dry); }));
    std::vector<uint64_t> cancelled;
    for (const auto& c : done) cancelled.push_back(c.task.sequence);
    if (dry) return same(cancelled == wanted, "what a dry run would cancel");
    std::vector<uint64_t> expected;
    for (uint64_t sequence : wanted) {
      RefTask& t = ref().tasks.at(sequence);
      if (is_terminal(t.state)) continue;
      expected.push_back(sequence);
      ref().cancel(t, Reason::user);
    }
    same(cancelled == expected, "what was cancelled");
  }
  void retry(store::WriteTxn& txn) {
    RefTask* old = any([](const RefTask& t) { return is_terminal(t.state); });
    if (!old) return;
    Task task = old->given;
    task.id = old->given.id + ".r" + std::to_string(old->sequence);
    task.agent = old->given.require.empty() ? old->agent : "";
    task.start_at = {};
    if (task.deadline <= now()) task.deadline = {};
    task.depends_on.clear();
    for (const std::string& id : old->given.depends_on) {
      const RefTask* before = ref().find(id);
      if (!before) continue;
      const std::string& then = before->retried_as.empty() ? id : before->retried_as;
      if (task.payload == reference_to(id)) task.payload = reference_to(then);
      task.depends_on.push_back(then);
    }
    bool expected = old->state != TaskState::completed && old->retried_as.empty() &&
                    ref().find(task.id) == nullptr && refers_well(task);
    if (expected) {
      Reference trial = ref();
      expected = trial.add(task) && !is_terminal(trial.find(task.id)->state);
    }
    const auto done = world_.attempt(
        txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.retry(old->given.id); });
    same(done.has_value(), expected,
         "retry of " + old->given.id + (done ? "" : ": " + done.error().message));
    if (!done) return;
    same(done->id, task.id, "id of a retry");
    ref().add(task);
    old->dead = false;
    old->retried_as = task.id;
  }
  static bool refers_well(const Task& task) {
    const size_t at = task.payload.find("{tasks.");
    if (at == std::string::npos) return true;
    return std::any_of(task.depends_on.begin(), task.depends_on.end(),
                       [&](const std::string& id) { return task.payload == reference_to(id); });
  }
  void change(store::WriteTxn& txn) {
    RefTask* t = any(chance(4) ? static_cast<TaskState>(below(k_task_states)) : TaskState::pending);
    if (!t) return;
    AgentScheduler::Change change;
    const size_t what = below(3);
    if (what == 0) change.priority = static_cast<Priority>(below(4));
    if (what == 1) change.agent = any_agent();
    if (what == 2) change.payload = chance(5) ? reference_to("t0") : R"({"n": 2})";
    Reference trial = ref();
    RefTask& changed = *trial.find(t->given.id);
    bool expected = t->state == TaskState::pending;
    if (expected && what == 2)
      expected = *change.payload == R"({"n": 2})" &&
                 !(t->given.deadline.set() && t->given.deadline <= now());
    if (expected && what == 1 && *change.agent != t->agent)
      expected = trial.move(changed, *change.agent);
    const auto done = world_.attempt(
        txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.change(t->given.id, change); });
    same(done.has_value(), expected,
         "change of " + t->given.id + (done ? "" : ": " + done.error().message));
    if (!done) return;
    if (what == 2) changed.given.payload = *change.payload;
    trial.say(EventKind::task_changed, changed);
    if (what == 0) trial.change_priority(changed, *change.priority);
    ref() = trial;
  }
  Pause drawn_pause() {
    Pause pause;
    pause.kind = static_cast<PauseKind>(below(4));
    if (pause.kind == PauseKind::priority) pause.name = to_string(static_cast<Priority>(below(4)));
    if (pause.kind == PauseKind::agent) pause.name = any_agent();
    if (pause.kind == PauseKind::share) pause.name = "s" + std::to_string(below(3));
    return pause;
  }
  void pause(store::WriteTxn& txn) {
    const Pause pause = drawn_pause();
    const auto done =
        world_.attempt(txn, [&](AgentScheduler& s, store::WriteTxn&) { return s.pause(pause); });
    const bool known = ref().pauses.contains({pause.kind, pause.name});
    const bool there = pause.kind != PauseKind::agent || ref().agents.contains(pause.name) || known;
    same(done.has_value(), there, "pause of " + describe(pause));
    if (!done) return;
    same(*done, !known, "pause of " + describe(pause) + " again");
    ref().pauses.insert({pause.kind, pause.name});
    world_.pauses_changed();
  }
  void resume(store::WriteTxn& txn) {
    if (ref().pauses.empty()) return;
    auto at = ref().pauses.begin();
    std::advance(at, static_cast<long>(below(ref().pauses.size())));
    Pause pause;
    pause.kind = at->first;
    pause.name = at->second;
    same(must(world_.attempt(txn,
                             [&](AgentScheduler& s, store::WriteTxn&) { return s.resume(pause); })),
         "resume of " + describe(pause));
    ref().pauses.erase(at);
    world_.pauses_changed();
  }
  // Retention.
  void remove(store::WriteTxn& txn) {
    for (size_t n = 5; n > 0; --n) {
      const RefTask* t = any([](const RefTask& task) { return is_terminal(task.state); });
      if (!t || must(txn.is_pinned(t->sequence))) continue;
      must(world_.attempt(txn, [&](AgentScheduler&, store::WriteTxn& nested) {
        return nested.remove_task(t->sequence);
      }));
      const uint64_t sequence = t->sequence;
      ref().ids.erase(t->given.id);
      ref().tasks.erase(sequence);
    }
  }

  std::mt19937_64 random_;
  World world_;
  uint64_t made_ = 0;
  std::string last_;
};

}  // namespace fabric::test
