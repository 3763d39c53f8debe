// SPDX-License-Identifier: Apache-2.0
// The rules of the queue, said as simply as they can be: plain containers, no store, no
// transactions, nothing cached. Written from what the scheduler promises (agent_scheduler.hpp), not
// from how it does it. Which queue is served next is not said here: the test checks that as
// invariants.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/agent.hpp"
#include "model/event.hpp"
#include "model/pause.hpp"
#include "model/retry.hpp"
#include "scheduler/agent_scheduler.hpp"
#include "tests/unit/scheduler/reference_task.hpp"

namespace fabric::test {

class Reference {
 public:
  WallTime now;
  SchedulerRules rules;
  std::map<uint64_t, RefTask> tasks;
  std::map<std::string, uint64_t> ids;
  std::map<std::string, Agent> agents;
  std::set<std::pair<PauseKind, std::string>> pauses;
  std::vector<RefEvent> events;  // since the test looked last
  uint64_t given_sequences = 0;

  RefTask* find(const std::string& id) {
    auto at = ids.find(id);
    return at == ids.end() ? nullptr : &tasks.at(at->second);
  }

  // A batch is taken whole or not at all: the test has put it in order of dependency. Nothing is
  // said to `events` when it is refused.
  bool accepts(const std::vector<Task>& batch) const {
    Reference trial = *this;
    for (const Task& task : batch)
      if (!trial.add(task)) return false;
    return true;
  }
  bool add(const Task& given) {
    if (find(given.id)) return true;  // the test repeats only what is the same
    if (given.deadline.set() && given.deadline <= now) return false;
    RefTask task;
    task.given = given;
    task.agent = given.require.empty() ? given.agent : "";
    if (!find_queue(task)) return false;
    task.created = now;
    task.level = given.priority;
    const RefTask* failed = nullptr;
    bool completed = false;
    for (const std::string& id : given.depends_on) {
      const RefTask* other = find(id);
      if (!other) return false;
      completed = completed || other->state == TaskState::completed;
      if (!is_terminal(other->state))
        task.open.insert(other->sequence);
      else if (other->state != TaskState::completed && !failed)
        failed = other;
    }
    if (given.after == AfterPolicy::any && completed) task.open.clear();
    const bool hopeless =
        failed && (given.after == AfterPolicy::success ||
                   (given.after == AfterPolicy::any && !completed && task.open.empty()));
    if (!hopeless && is_full(task)) return false;
    task.sequence = ++given_sequences;
    ids[given.id] = task.sequence;
    RefTask& added = tasks[task.sequence] = task;
    if (hopeless) {
      added.open.clear();
      added.state = cascaded(failed->state);
      added.reason = Reason::dependency;
      added.why = why_of(*failed);
      added.finished = now;
      say(EventKind::task_scheduled, added);
      say(end_event(added.state), added);
      return true;
    }
    place(added);
    say(EventKind::task_scheduled, added);
    raise(added.open, added.level);
    return true;
  }

  void start(RefTask& task, const std::string& agent, uint64_t attempt_id, Duration lease) {
    task.state = TaskState::running;
    task.reason = Reason::none;
    task.agent = agent;
    task.attempt += 1;
    task.attempt_id = attempt_id;
    task.started = now;
    task.not_before = {};
    task.lease_until = lease.ns > 0 ? now + lease : WallTime{};
    task.why.clear();
    say(EventKind::task_started, task);
  }

  void finish(RefTask& task, const Outcome& outcome) {
    task.result = outcome.result.head;
    if (stop_asked(task)) return end(task, TaskState::cancelled, task.reason);
    if (tries_again(task, outcome.state, outcome.reason, outcome.exit_code))
      return next_attempt(task, outcome.state, outcome.reason);
    end(task, outcome.state, outcome.reason);
  }

  void requeue(RefTask& task, AgentScheduler::Requeue why) {
    if (stop_asked(task)) return end(task, TaskState::cancelled, task.reason);
    const bool lost = why == AgentScheduler::Requeue::lost;
    if (lost && ++task.lost >= rules.max_lost_attempts) {
      if (tries_again(task, TaskState::failed, Reason::lost, {}))
        return next_attempt(task, TaskState::failed, Reason::lost);
      return end(task, TaskState::failed, Reason::lost);
    }
    keep(task, TaskState::pending, lost ? Reason::lost : Reason::none);
    back(task);
    place(task);
    say(EventKind::task_requeued, task);
    give(task.given.exclusive);
  }

  // Asked to stop: one that an external agent has, or that waits, ends at once.
  void cancel(RefTask& task, Reason reason) {
    if (task.state == TaskState::running && !task.lease_until.set()) {
      if (reason == Reason::user || task.reason != Reason::user) task.reason = reason;
      return;
    }
    end(task, TaskState::cancelled, reason);
  }

  void end(RefTask& task, TaskState state, Reason reason) {
    task.open.clear();
    task.dead = (state == TaskState::failed || state == TaskState::timed_out) &&
                (task.given.retry.limit > 0 || reason == Reason::lost);
    finish_record(task, state, reason);
    give(task.given.exclusive);
    settle(task);
  }

  // What time brings, soonest first.
  void tick() {
    std::set<std::pair<WallTime, uint64_t>> due;
    for (const auto& [sequence, task] : tasks)
      if (const WallTime at = timer(task); at.set() && at <= now) due.emplace(at, sequence);
    for (const auto& [at, sequence] : due) decide(tasks.at(sequence));
  }
  [[nodiscard]] WallTime timer(const RefTask& t) const {
    WallTime at;
    const auto sooner = [&](WallTime when) {
      if (when.set() && (!at.set() || when < at)) at = when;
    };
    if (t.state == TaskState::running && t.lease_until.set()) {
      sooner(t.lease_until);
      sooner(t.given.deadline);
    }
    if (t.state != TaskState::pending) return at;
    if (t.reason == Reason::not_before) sooner(t.not_before);
    sooner(t.given.deadline);
    if (t.given.queue_ttl.ns != 0 && t.attempt == 0) sooner(t.created + t.given.queue_ttl);
    return at;
  }

  void change_priority(RefTask& task, Priority priority) {
    const Priority before = task.level;
    task.given.priority = task.level = priority;
    for (const auto& [sequence, other] : tasks)
      if (other.open.contains(task.sequence)) task.level = std::min(task.level, other.level);
    if (task.level < before) raise(task.open, task.level);
    fair_share_of_key(task.given.exclusive);
  }
  bool move(RefTask& task, const std::string& agent) {
    RefTask moved = task;
    moved.agent = moved.given.agent = agent;
    moved.given.require.clear();
    if (!find_queue(moved) || queue_is_full(moved)) return false;
    task = moved;
    return true;
  }

  [[nodiscard]] uint64_t pending_in(const RefTask& of) const {
    uint64_t count = 0;
    for (const auto& [sequence, t] : tasks)
      count += t.state == TaskState::pending && same_queue(t, of) ? 1U : 0U;
    return count;
  }
  static bool same_queue(const RefTask& a, const RefTask& b) {
    return a.queue == b.queue && (a.queue != 0 || a.given.require == b.given.require);
  }
  static bool stop_asked(const RefTask& task) {
    return task.reason == Reason::user || task.reason == Reason::agent_gone;
  }
  void say(EventKind kind, const RefTask& task) {
    events.push_back({task.given.id, kind, task.state, task.reason, task.attempt});
  }

 private:
  static TaskState cascaded(TaskState of) {
    return of == TaskState::cancelled ? TaskState::cancelled : TaskState::failed;
  }
  static std::string why_of(const RefTask& task) {
    return task.reason == Reason::dependency
               ? task.why
               : "dependency " + task.given.id + " " + std::string(to_string(task.state));
  }
  static EventKind end_event(TaskState state) {
    return state == TaskState::completed   ? EventKind::task_completed
           : state == TaskState::cancelled ? EventKind::task_cancelled
           : state == TaskState::timed_out ? EventKind::task_timed_out
                                           : EventKind::task_failed;
  }
  void finish_record(RefTask& task, TaskState state, Reason reason) {
    task.state = state;
    task.reason = reason;
    task.finished = now;
    task.lease_until = {};
    say(end_event(state), task);
  }

  bool find_queue(RefTask& task) const {
    if (task.given.require.empty()) {
      auto agent = agents.find(task.agent);
      if (agent == agents.end()) return false;
      task.queue = agent->second.number;
      return true;
    }
    task.queue = 0;
    for (const auto& [id, agent] : agents)
      if (satisfies(agent.definition, task.given.require)) return true;
    return false;
  }
  [[nodiscard]] bool queue_is_full(const RefTask& task) const {
    if (task.queue == 0) return false;
    const uint32_t limit = agents.at(task.agent).definition.max_queue_depth;
    return limit != 0 && pending_in(task) >= limit;
  }
  [[nodiscard]] bool is_full(const RefTask& task) const {
    uint64_t all = 0;
    for (const auto& [sequence, t] : tasks) all += t.state == TaskState::pending ? 1U : 0U;
    return queue_is_full(task) || (rules.max_pending_tasks != 0 && all >= rules.max_pending_tasks);
  }

  // What it waits for now. Of equals by key one is in the queue or runs.
  void place(RefTask& task) {
    const WallTime due = std::max(task.given.start_at, task.not_before);
    if (!task.open.empty()) {
      task.reason = Reason::dependency;
    } else if (due > now) {
      task.reason = Reason::not_before;
      task.not_before = due;
    } else {
      task.reason = Reason::exclusive;  // holds() is false while we look for another
      RefTask* holder = holder_of(task.given.exclusive);
      if (holder && (holder->state == TaskState::running || holder->level <= task.level)) return;
      if (holder) holder->reason = Reason::exclusive;
      task.reason = Reason::queued;
    }
  }
  RefTask* holder_of(const std::string& key) {
    if (key.empty()) return nullptr;
    for (auto& [sequence, task] : tasks)
      if (task.given.exclusive == key && task.holds()) return &task;
    return nullptr;
  }
  RefTask* waiter_of(const std::string& key) {
    RefTask* best = nullptr;
    for (auto& [sequence, task] : tasks)
      if (task.given.exclusive == key && task.state == TaskState::pending &&
          task.reason == Reason::exclusive && (!best || task.level < best->level))
        best = &task;
    return best;
  }
  // The key is free: the most urgent of those that wait for it, the oldest of equals, gets it.
  void give(const std::string& key) {
    if (key.empty() || holder_of(key)) return;
    RefTask* next = waiter_of(key);
    if (!next) return;
    next->reason = Reason::queued;
    say(EventKind::task_ready, *next);
  }
  // A level has changed: a holder that has not started gives way to a more urgent waiter.
  void fair_share_of_key(const std::string& key) {
    RefTask* holder = key.empty() ? nullptr : holder_of(key);
    RefTask* next = holder ? waiter_of(key) : nullptr;
    if (!next || holder->state == TaskState::running || holder->level <= next->level) return;
    holder->reason = Reason::exclusive;
    next->reason = Reason::queued;
    say(EventKind::task_ready, *next);
  }
  void raise(const std::set<uint64_t>& which, Priority level) {
    std::set<std::string> keys;
    std::vector<uint64_t> open(which.begin(), which.end());
    while (!open.empty()) {
      RefTask& task = tasks.at(open.back());
      open.pop_back();
      if (is_terminal(task.state) || task.level <= level) continue;
      task.level = level;
      open.insert(open.end(), task.open.begin(), task.open.end());
      keys.insert(task.given.exclusive);
    }
    for (const std::string& key : keys) fair_share_of_key(key);
  }

  // Those that wait for it, generation by generation, each in order of submission.
  void settle(const RefTask& ended) {
    struct End {
      uint64_t sequence;
      TaskState state;
      std::string why;
    };
    std::vector<End> ends{{ended.sequence, ended.state, why_of(ended)}};
    for (size_t i = 0; i < ends.size(); ++i) {
      const End source = ends[i];
      const bool well = source.state == TaskState::completed;
      for (auto& [sequence, task] : tasks) {
        if (task.open.erase(source.sequence) == 0) continue;
        const bool last = task.open.empty();
        const AfterPolicy after = task.given.after;
        const bool goes = after == AfterPolicy::any ? well : last;
        if (!well && (after == AfterPolicy::success || (after == AfterPolicy::any && last))) {
          task.open.clear();
          task.why = source.why;
          finish_record(task, cascaded(source.state), Reason::dependency);
          ends.push_back({sequence, task.state, task.why});
        } else if (goes) {
          task.open.clear();
          put_in_queue(task);
        }
      }
    }
  }
  void put_in_queue(RefTask& task) {
    place(task);
    if (task.reason == Reason::queued) say(EventKind::task_ready, task);
  }

  static bool tries_again(const RefTask& task, TaskState state, Reason reason,
                          std::optional<int> exit_code) {
    if (task.retries >= task.given.retry.limit || reason == Reason::deadline) return false;
    if (state != TaskState::failed && state != TaskState::timed_out) return false;
    const std::vector<std::string>& on = task.given.retry.on;
    const auto says = [&](const std::string& word) {
      return std::find(on.begin(), on.end(), word) != on.end();
    };
    if (on.empty()) return true;
    if (state == TaskState::timed_out) return says("timed_out");
    if (reason == Reason::lost) return says("lost");
    return says("failed") || (exit_code && says("exit:" + std::to_string(*exit_code)));
  }
  void next_attempt(RefTask& task, TaskState state, Reason reason) {
    keep(task, state, reason);
    task.retries += 1;
    const Duration pause = delay_before(task.given.retry.backoff, task.retries, task.sequence);
    back(task);
    task.not_before = now + pause;
    if (pause.ns == 0)
      place(task);
    else
      task.reason = Reason::not_before;
    say(EventKind::task_retrying, task);
    give(task.given.exclusive);
  }
  void keep(RefTask& task, TaskState state, Reason reason) {
    task.attempts.push_back({task.attempt, task.attempt_id, state, reason, false});
  }
  static void back(RefTask& task) {
    task.state = TaskState::pending;
    task.reason = Reason::none;
    task.started = {};
    task.lease_until = {};
    if (!task.given.require.empty()) task.agent.clear();
  }

  void decide(RefTask& t) {
    if (const WallTime at = timer(t); !at.set() || at > now) return;
    if (t.given.deadline.set() && t.given.deadline <= now)
      return end(t, TaskState::timed_out, Reason::deadline);
    if (t.state == TaskState::running) return requeue(t, AgentScheduler::Requeue::lost);
    if (t.given.queue_ttl.ns != 0 && t.attempt == 0 && t.created + t.given.queue_ttl <= now)
      return end(t, TaskState::timed_out, Reason::queue_ttl);
    put_in_queue(t);
  }
};

}  // namespace fabric::test
