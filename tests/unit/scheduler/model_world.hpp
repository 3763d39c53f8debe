// SPDX-License-Identifier: Apache-2.0
// The scheduler over a real store and a real Dispatcher, beside the reference model: one step is
// one transaction, and after each what the store says is compared with what the model says.
#pragma once

#include <functional>
#include <set>
#include <stdexcept>
#include <utility>

#include "supervisor/dispatcher.hpp"
#include "tests/unit/scheduler/helpers.hpp"
#include "tests/unit/scheduler/reference_model.hpp"

namespace fabric::test {

// The store and the model disagree.
struct Divergence : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void same(bool equal, const std::string& what) {
  if (!equal) throw Divergence(what);
}
template <class A, class B>
void same(const A& stored, const B& expected, const std::string& what) {
  if (stored == expected) return;
  std::string text = what;
  if constexpr (std::is_arithmetic_v<A> && std::is_arithmetic_v<B>)
    text += ": store " + std::to_string(stored) + ", model " + std::to_string(expected);
  else if constexpr (std::is_convertible_v<A, std::string> && std::is_convertible_v<B, std::string>)
    text += ": store '" + std::string(stored) + "', model '" + std::string(expected) + "'";
  throw Divergence(text);
}
template <class T>
T must(Result<T> result) {
  if (!result) throw Divergence("refused: " + result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

class HandClock final : public Clock {
 public:
  WallTime wall{1700000000000000};
  MonoTime mono{1000000000};
  [[nodiscard]] WallTime now() const override { return wall; }
  [[nodiscard]] MonoTime monotonic() const override { return mono; }
};

class World {
 public:
  explicit World(DispatchRules rules) : rules_(std::move(rules)) {
    ref.rules = rules_.scheduler;
    open();
  }

  // Closes and opens; agents that stood stand again.
  void reopen() {
    dispatcher_.reset();
    store_.reset();
    open();
  }

  // One transaction. `lost`: it is dropped at the end, and nothing of it has happened.
  void transaction(bool lost, const std::function<void(store::WriteTxn&)>& work) {
    const std::optional<Reference> before = lost ? std::optional(ref) : std::nullopt;
    const auto available = available_;
    ref.now = clock.wall;
    ref.events.clear();
    {
      store::WriteTxn txn = must(store_->write());
      const uint64_t after = must(txn.last_event());
      work(txn);
      compare_step(txn, after);
      if (!lost) must(txn.commit());
    }
    if (!lost) return;
    ref = *before;
    available_ = available;
    reopen();  // a process that lost its transaction is gone, or reads all of it again
  }
  // The clock has moved: what is due happens.
  void tick(store::WriteTxn& txn) {
    store::WriteTxn nested = must(txn.nested());
    same(!must(dispatcher_->tick(nested)), "there is more that is due");
    must(nested.commit());
    ref.tick();
  }
  // In a transaction of its own inside this one; false when it was refused, and nothing is left.
  template <class Work>
  auto attempt(store::WriteTxn& txn, Work work) {
    store::WriteTxn nested = must(txn.nested());
    AgentScheduler scheduler(nested, clock.wall, rules_.scheduler);
    auto result = work(scheduler, nested);
    if (result) must(nested.commit());
    return result;
  }

  // A direct command wrote: nobody told the Dispatcher what.
  void written_by_another() { dispatcher_->forget(); }

  void fill(store::WriteTxn& txn) {
    const uint64_t after = must(txn.last_event());
    follow_claims(txn, after, must(dispatcher_->fill(txn)), {}, "");
    for (const auto& [sequence, task] : ref.tasks)
      for (const auto& [id, agent] : ref.agents)
        if (available_.contains(id))
          same(!can_start(task, agent), "task " + task.given.id + " could start on " + id);
  }
  Result<std::optional<Task>> claim_for(store::WriteTxn& txn, const Agent& agent, Duration lease) {
    const uint64_t after = must(txn.last_event());
    const bool full = running_of(agent) >= agent.definition.max_concurrent_tasks;
    store::WriteTxn nested = must(txn.nested());
    Result<std::optional<Task>> claimed = dispatcher_->claim_for(nested, agent, lease);
    same(claimed.has_value(), !full,
         "a claim by " + agent.definition.id +
             (claimed ? " beyond its slots" : claimed.error().message));
    if (!claimed) return claimed;
    must(nested.commit());
    std::vector<Dispatcher::Claim> claims;
    if (*claimed) claims.push_back({**claimed, agent.number});
    follow_claims(txn, after, claims, lease, agent.definition.id);
    if (!*claimed)
      for (const auto& [sequence, task] : ref.tasks)
        same(!can_start(task, agent), "task " + task.given.id + " was not handed out");
    return claimed;
  }

  void stand(const Agent& agent) {
    available_.insert(agent.definition.id);
    dispatcher_->available(agent);
  }
  void fall(const std::string& id) {
    available_.erase(id);
    dispatcher_->unavailable(id);
  }
  [[nodiscard]] bool stands(const std::string& id) const { return available_.contains(id); }
  void pauses_changed() { dispatcher_->pauses_changed(); }
  [[nodiscard]] store::Store& store() { return *store_; }

  // All that the model knows.
  void compare() {
    const store::ReadTxn txn = must(store_->read());
    for (const auto& [sequence, task] : ref.tasks) compare_task(txn, task);
    compare_lists(txn);
    const store::CheckReport report = must(store_->check());
    same(report.problems.empty(), report.problems.empty() ? "" : "check: " + report.problems[0]);
  }

  Reference ref;
  HandClock clock;
  uint64_t next_sequence() const { return next_sequence_of(ref); }

 private:
  void open() {
    store_.emplace(must(store::Store::open(dir_.path() + "/store", store::Store::Mode::create)));
    dispatcher_.emplace(rules_, clock);
    for (const std::string& id : available_) dispatcher_->available(ref.agents.at(id));
  }
  static uint64_t next_sequence_of(const Reference& r) { return r.given_sequences + 1; }

  [[nodiscard]] uint32_t running_of(const Agent& agent) const {
    uint32_t n = 0;
    for (const auto& [sequence, t] : ref.tasks)
      n += t.state == TaskState::running && t.agent == agent.definition.id ? 1U : 0U;
    return n;
  }
  [[nodiscard]] bool paused(PauseKind kind, const std::string& name) const {
    return ref.pauses.contains({kind, name});
  }
  // Whether something but its turn keeps a task from starting on this agent.
  [[nodiscard]] bool can_start(const RefTask& task, const Agent& agent) const {
    const AgentDefinition& d = agent.definition;
    if (!task.ready() || paused(PauseKind::workspace, "") || paused(PauseKind::agent, d.id) ||
        paused(PauseKind::share, task.given.share) ||
        paused(PauseKind::priority, std::string(to_string(task.level))))
      return false;
    if (task.queue != 0 ? task.queue != agent.number : !satisfies(d, task.given.require))
      return false;
    uint32_t all = 0, of_agent = 0, of_pool = 0;
    std::map<std::string, uint32_t> labels;
    for (const auto& [sequence, t] : ref.tasks) {
      if (t.state != TaskState::running) continue;
      ++all;
      of_agent += t.agent == d.id ? 1U : 0U;
      auto other = ref.agents.find(t.agent);
      of_pool += other != ref.agents.end() && other->second.definition.pool == d.pool ? 1U : 0U;
      for (const auto& [label, count] : t.given.slots) labels[label] += count;
    }
    const auto limit = [](const Slots& slots, const std::string& name) {
      for (const auto& [label, count] : slots)
        if (label == name) return count;
      return ~0U;
    };
    if (of_agent >= d.max_concurrent_tasks) return false;
    if (rules_.workspace_slots != 0 && all >= rules_.workspace_slots) return false;
    if (!d.pool.empty() && of_pool >= limit(rules_.pool_slots, d.pool)) return false;
    for (const auto& [label, count] : task.given.slots)
      if (labels[label] + count > limit(rules_.label_slots, label)) return false;
    return true;
  }
  // Nothing of its lane was there before it.
  void check_first(const RefTask& task) const {
    for (const auto& [sequence, other] : ref.tasks)
      if (sequence < task.sequence && other.ready() && Reference::same_queue(other, task) &&
          other.given.share == task.given.share && other.level == task.level &&
          other.given.slots == task.given.slots)
        throw Divergence("task " + task.given.id + " was claimed before " + other.given.id);
  }

  // What was claimed, and what could not start because its payload refers to nothing, in the order
  // in which it happened.
  void follow_claims(store::WriteTxn& txn, uint64_t after,
                     const std::vector<Dispatcher::Claim>& claims, Duration lease,
                     const std::string& by) {
    size_t next = 0;
    for (const Event& event : must(txn.events(after, 100000))) {
      const bool broken = event.kind == EventKind::task_failed && event.reason == Reason::reference;
      if (event.kind != EventKind::task_started && !broken) continue;
      RefTask* task = ref.find(event.task);
      same(task != nullptr && task->ready(), "task " + event.task + " was not ready");
      check_first(*task);
      const auto payload = expanded(*task);
      same(payload.has_value(), !broken, "references of " + event.task);
      if (broken) {
        ref.end(*task, TaskState::failed, Reason::reference);
        continue;
      }
      same(next < claims.size() && claims[next].task.id == event.task,
           "a claim nobody was told of");
      const Task& claimed = claims[next++].task;
      const Agent& agent = ref.agents.at(claimed.agent);
      same(by.empty() ? available_.contains(claimed.agent) : claimed.agent == by,
           "task " + event.task + " went to " + claimed.agent);
      same(can_start(*task, agent), "task " + event.task + " cannot start on " + claimed.agent);
      for (const auto& [sequence, other] : ref.tasks)
        same(other.attempt_id < claimed.attempt_id, "an attempt id was used before");
      same(claimed.payload, *payload, "payload of " + event.task);
      ref.start(*task, claimed.agent, claimed.attempt_id, lease);
    }
    same(next, claims.size(), "claims and started events");
  }
  // The test's payloads have at most one reference, alone in its string; results are plain text.
  [[nodiscard]] std::optional<std::string> expanded(const RefTask& task) const {
    std::string payload = task.given.payload;
    const size_t at = payload.find("{tasks.");
    if (at == std::string::npos) return payload;
    const size_t end = payload.find(".result}", at);
    auto other = ref.ids.find(payload.substr(at + 7, end - at - 7));
    if (other == ref.ids.end() || ref.tasks.at(other->second).state != TaskState::completed)
      return std::nullopt;
    return payload.replace(at, end + 8 - at, ref.tasks.at(other->second).result);
  }

  void compare_step(const store::ReadTxn& txn, uint64_t after) {
    std::map<std::string, std::vector<RefEvent>> stored, expected;
    for (const Event& e : must(txn.events(after, 100000))) {
      same(e.sequence, ++after, "events have a gap");
      if (!e.task.empty()) stored[e.task].push_back({e.task, e.kind, e.state, e.reason, e.attempt});
    }
    for (const RefEvent& e : ref.events) expected[e.task].push_back(e);
    for (const auto& [id, events] : expected)
      if (stored[id] != events)
        throw Divergence("events of " + id + ": " + shown(stored[id]) + " in the store, " +
                         shown(events));
    for (const auto& [id, events] : stored) {
      same(expected.contains(id), "events of " + id + ": " + shown(events) + " only in the store");
      if (const RefTask* task = ref.find(id)) compare_task(txn, *task);
    }
    compare_counts(txn);
  }
  static std::string shown(const std::vector<RefEvent>& events) {
    std::string text;
    for (const RefEvent& e : events)
      text += (text.empty() ? "" : " ") + std::string(to_string(e.kind)) + "/" +
              std::string(to_string(e.reason)) + "#" + std::to_string(e.attempt);
    return "[" + text + "]";
  }
  void compare_counts(const store::ReadTxn& txn) const {
    TaskCounts counts;
    for (const auto& [sequence, t] : ref.tasks) ++counts.of(t.state);
    const TaskCounts stored = must(txn.counts());
    for (int i = 0; i < k_task_states; ++i) {
      const auto state = static_cast<TaskState>(i);
      same(stored.of(state), counts.of(state), "tasks " + std::string(to_string(state)));
    }
  }

  static void compare_task(const store::ReadTxn& txn, const RefTask& t) {
    const std::optional<Task> found = must(txn.find_task(t.given.id));
    const std::string of = t.given.id + ": ";
    same(found.has_value(), of + "is not there");
    same(found->sequence, t.sequence, of + "sequence");
    same(to_string(found->state), to_string(t.state), of + "state");
    same(to_string(found->reason), to_string(t.reason), of + "reason");
    same(found->agent, t.agent, of + "agent");
    same(to_string(found->priority), to_string(t.given.priority), of + "priority");
    if (!is_terminal(t.state)) same(to_string(found->lane.level), to_string(t.level), of + "level");
    same(found->waiting_on, t.open.size(), of + "waiting on");
    same(found->attempt, t.attempt, of + "attempt");
    same(found->attempt_id, t.attempt_id, of + "attempt id");
    same(found->lost_attempts, t.lost, of + "lost attempts");
    same(found->retries, t.retries, of + "retries");
    same(found->payload, t.given.payload, of + "payload");
    same(found->usage.output_tokens, t.output_tokens, of + "usage");
    same(found->created_at.us, t.created.us, of + "created at");
    same(found->finished_at.us, t.finished.us, of + "finished at");
    same(found->lease_until.us, t.lease_until.us, of + "lease until");
    same(found->dead, t.dead, of + "dead");
    same(found->retried_as, t.retried_as, of + "retried as");
    if (t.state == TaskState::running) same(found->started_at.us, t.started.us, of + "started at");
    if (t.state == TaskState::pending && t.reason == Reason::not_before)
      same(found->not_before.us, t.not_before.us, of + "not before");
    if (is_terminal(t.state) && t.reason == Reason::dependency)
      same(found->detail, t.why, of + "detail");
    std::vector<RefAttempt> attempts;
    for (const Attempt& a : must(txn.attempts(t.sequence)))
      attempts.push_back({a.number, a.attempt_id, a.state, a.reason, a.late});
    same(attempts == t.attempts, of + "attempts");
    const std::optional<TaskResult> result = must(txn.find_result(t.sequence));
    if (t.state == TaskState::completed) same(result ? result->head : "", t.result, of + "result");
  }

  void compare_lists(const store::ReadTxn& txn) const {
    std::vector<uint64_t> dead, running;
    std::map<std::string, std::vector<uint64_t>> groups;
    std::map<uint64_t, std::vector<uint64_t>> dependents;
    std::map<std::string, uint64_t> holders;
    std::map<std::string, std::pair<Priority, uint64_t>> waiters;
    std::map<uint32_t, std::vector<uint64_t>> pending;
    std::optional<WallTime> next;
    for (const auto& [sequence, t] : ref.tasks) {
      if (t.dead) dead.push_back(sequence);
      if (t.state == TaskState::running) running.push_back(sequence);
      if (!t.given.group.empty()) groups[t.given.group].push_back(sequence);
      for (uint64_t dependency : t.open) dependents[dependency].push_back(sequence);
      if (t.state == TaskState::pending && t.queue != 0) pending[t.queue].push_back(sequence);
      if (const WallTime at = ref.timer(t); at.set() && (!next || at < *next)) next = at;
      const std::string& key = t.given.exclusive;
      if (t.holds()) same(holders.emplace(key, sequence).second, "two hold key " + key);
      if (key.empty() || t.state != TaskState::pending || t.reason != Reason::exclusive) continue;
      const std::pair<Priority, uint64_t> rank{t.level, sequence};
      auto [at, fresh] = waiters.emplace(key, rank);
      if (!fresh) at->second = std::min(at->second, rank);
    }
    same(must(txn.dead_tasks()) == dead, "the dead-letter list");
    same(must(txn.running_tasks()) == running, "running tasks");
    for (const auto& [group, all] : groups)
      same(must(txn.group_tasks(group)) == all, "group " + group);
    for (const auto& [sequence, t] : ref.tasks)
      same(must(txn.dependents(sequence)) == dependents[sequence], t.given.id + ": dependents");
    for (const std::string key : {"K0", "K1", "K2"}) {
      same(must(txn.exclusive_holder(key)).value_or(0), holders[key], "holder of " + key);
      same(must(txn.next_exclusive_waiter(key)).value_or(0),
           waiters.contains(key) ? waiters[key].second : 0, "waiter of " + key);
    }
    for (const auto& [id, agent] : ref.agents) {
      same(must(txn.pending_tasks(agent.number, 100000)) == pending[agent.number],
           id + ": pending tasks");
      same(must(txn.counts(agent.number)).pending, pending[agent.number].size(), id + ": depth");
    }
    same(must(AgentScheduler::next_tick(txn)) == next, "the next timer");
  }

  TempDir dir_;
  const DispatchRules rules_;
  std::optional<store::Store> store_;
  std::optional<Dispatcher> dispatcher_;
  std::set<std::string> available_;
};

}  // namespace fabric::test
