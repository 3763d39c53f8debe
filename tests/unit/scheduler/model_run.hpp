// SPDX-License-Identifier: Apache-2.0
// Random operations, each done to the store and to the model. What is drawn depends on the seed
// alone, so a seed and a number of steps say all.
#pragma once

#include <algorithm>

#include "tests/unit/scheduler/model_attempts.hpp"

namespace fabric::test {

class ModelRun : private ModelAttempts {
 public:
  explicit ModelRun(uint64_t seed) : ModelAttempts(seed) {}

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
  static constexpr size_t k_operations = 40;

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
      std::string then = id;
      while (before && !before->retried_as.empty()) {
        then = before->retried_as;
        before = ref().find(then);
      }
      if (!before) continue;
      if (task.payload == reference_to(id)) task.payload = reference_to(then);
      if (std::find(task.depends_on.begin(), task.depends_on.end(), then) == task.depends_on.end())
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

  std::string last_;
};

}  // namespace fabric::test
