// SPDX-License-Identifier: Apache-2.0
// What people change: agent and payload of a pending task, pauses; and references in payloads.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

Result<Task> change(Queue& q, const std::string& id, const AgentScheduler::Change& what) {
  return q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.change(id, what); });
}
AgentScheduler::Change to_agent(const std::string& agent) {
  AgentScheduler::Change what;
  what.agent = agent;
  return what;
}
AgentScheduler::Change to_payload(const std::string& payload) {
  AgentScheduler::Change what;
  what.payload = payload;
  return what;
}
Outcome printed(const std::string& text) {
  Outcome outcome;
  outcome.result.head = text;
  outcome.result_bytes = text.size();
  return outcome;
}

}  // namespace

TEST_CASE("a pending task moves to another agent and keeps its order there") {
  Queue q({"a1", "a2"});
  ok(q.schedule(task_for("a1", "t1")));
  ok(q.schedule(task_for("a2", "t2")));
  CHECK(ok(change(q, "t1", to_agent("a2"))).agent == "a2");
  CHECK(q.pending("a1").empty());
  CHECK(q.claimed_id("a2") == "t1");
  CHECK(refusal(change(q, "t1", to_agent("a1"))) ==
        "task t1 is running; only pending tasks can be changed");
  CHECK(refusal(change(q, "t2", to_agent("ghost"))) == "agent ghost not found");
  CHECK(q.get("t2").agent == "a2");
  require_clean(q.store());
}

TEST_CASE("a payload is changed whole, of any size") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  const std::string large = "\"" + std::string(5000, 'x') + "\"";
  for (const std::string& payload : {large, std::string("[1]"), large}) {
    ok(change(q, "t1", to_payload(payload)));
    CHECK(q.get("t1").payload == payload);
    require_clean(q.store());
  }
  CHECK_FALSE(change(q, "t1", to_payload("{")));
  CHECK(q.get("t1").payload == large);
  CHECK(refusal(change(q, "t1", to_payload(R"("{tasks.other.result}")"))) ==
        "the payload of task t1 refers to task other, which is not among its dependencies");
}

TEST_CASE("references are replaced at the claim, and the payload stays as it was") {
  Queue q;
  Task second = task_for("a1", "t2", {"t1"});
  second.payload = R"({"x": "{tasks.t1.result.n}", "y": "n is {tasks.t1.result.n}"})";
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), second}));
  q.finish(*q.claim(), printed(R"({"n": 7})"));
  CHECK(q.claim()->payload == R"({"x": 7, "y": "n is 7"})");
  CHECK(q.get("t2").payload == second.payload);
}

TEST_CASE("a reference that leads nowhere fails the task, and what waits for it") {
  Queue q;
  Task second = task_for("a1", "t2", {"t1"});
  second.payload = R"("{tasks.t1.result.n}")";
  second.after = AfterPolicy::finish;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), second, task_for("a1", "t3", {"t2"})}));
  const Task first = *q.claim();
  SECTION("its task failed") { q.finish(first, failed_with(1)); }
  SECTION("its result has no such key") { q.finish(first, printed(R"({"m": 7})")); }
  SECTION("its result is cut") {
    Outcome outcome = printed(R"({"n": 7})");
    outcome.result.whole = false;
    q.finish(first, outcome);
  }
  CHECK_FALSE(q.claim());
  CHECK(q.get("t2").state == TaskState::failed);
  CHECK(q.get("t2").reason == Reason::reference);
  CHECK(q.get("t2").attempt == 0);
  CHECK(q.get("t3").detail == "dependency t2 failed");
  require_clean(q.store());
}

TEST_CASE("a result is pinned while somebody will read it") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "other")}));
  Task second = task_for("a1", "t2", {"t1", "other"});
  second.payload = R"("{tasks.t1.result}")";
  ok(q.schedule(second));
  const uint64_t first = q.get("t1").sequence;
  const auto pinned = [&] { return ok(ok(q.store().read()).is_pinned(first)); };
  CHECK(pinned());
  SECTION("until it has ended") {
    q.finish(*q.claim());
    q.finish(*q.claim());
    const Task reader = *q.claim();
    CHECK(pinned());
    q.finish(reader);
  }
  SECTION("until it refers to another") {
    ok(change(q, "t2", to_payload(R"("{tasks.other.result}")")));
  }
  SECTION("until it failed with what it waited for") { ok(q.cancel("other")); }
  CHECK_FALSE(pinned());
  require_clean(q.store());
}

TEST_CASE("pauses are kept once each, and named") {
  Queue q;
  const auto pause = [&](PauseKind kind, const std::string& name) {
    Pause wanted;
    wanted.kind = kind;
    wanted.name = name;
    return q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.pause(wanted); });
  };
  const auto resume = [&](PauseKind kind, const std::string& name) {
    Pause wanted;
    wanted.kind = kind;
    wanted.name = name;
    return ok(q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.resume(wanted); }));
  };
  CHECK(ok(pause(PauseKind::agent, "a1")));
  CHECK_FALSE(ok(pause(PauseKind::agent, "a1")));
  CHECK(ok(pause(PauseKind::priority, "low")));
  CHECK(ok(pause(PauseKind::share, "nobody")));  // its tasks may come
  CHECK(refusal(pause(PauseKind::agent, "ghost")) == "agent ghost not found");
  CHECK_FALSE(pause(PauseKind::priority, "lowest"));
  q.reopen();
  CHECK(ok(ok(q.store().read()).pauses()).size() == 3);
  CHECK(resume(PauseKind::agent, "a1"));
  CHECK_FALSE(resume(PauseKind::agent, "a1"));
  CHECK(ok(ok(q.store().read()).pauses()).size() == 2);
}
