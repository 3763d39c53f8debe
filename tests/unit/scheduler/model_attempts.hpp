// SPDX-License-Identifier: Apache-2.0
// Operations of the model test on attempts: their ends, of agents that fabric runs and of external
// ones.
#pragma once

#include "tests/unit/scheduler/model_draws.hpp"

namespace fabric::test {

class ModelAttempts : protected ModelDraws {
 protected:
  using ModelDraws::ModelDraws;
  using Requeue = AgentScheduler::Requeue;

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
};

}  // namespace fabric::test
