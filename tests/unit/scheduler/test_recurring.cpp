// SPDX-License-Identifier: Apache-2.0
// Tasks that come again and again, with time moved by hand.
#include <algorithm>

#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

constexpr Duration k_minute = Duration::seconds(60);

Recurring every(const std::string& expression, MissedRuns missed = MissedRuns::skip) {
  Recurring recurring;
  recurring.id = "tick";
  recurring.every = expression;
  recurring.timezone = "UTC";
  recurring.missed = missed;
  recurring.line = R"({"agent":"a1","payload":{"n":1}})";
  recurring.user = "ann";
  return recurring;
}

Status add(Queue& q, const Recurring& recurring) {
  return q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.add_recurring(recurring); });
}

Recurring found(Queue& q) { return *ok(ok(q.store().read()).find_recurring("tick")); }

size_t runs(Queue& q) { return q.pending().size(); }

}  // namespace

TEST_CASE("each time comes once, under its own id") {
  Queue q;
  q.now = WallTime{1700000000000000};  // 2023-11-14T22:13:20Z
  ok(add(q, every("*/10 * * * *")));
  CHECK(to_rfc3339(found(q).due) == "2023-11-14T22:20:00.000000Z");
  CHECK(q.tick() == 0);
  q.now = found(q).due;
  CHECK(q.tick() == 1);
  CHECK(q.tick() == 0);
  CHECK(q.pending() == std::vector<std::string>{"tick.20231114T222000Z"});
  const Task task = q.get("tick.20231114T222000Z");
  CHECK(task.user == "ann");
  CHECK(task.share == "ann");
  CHECK(found(q).runs == 1);
  CHECK(to_rfc3339(found(q).due) == "2023-11-14T22:30:00.000000Z");
}

TEST_CASE("a clock that goes back repeats nothing, and one that jumps ahead misses runs once") {
  Queue q;
  ok(add(q, every("every 1m")));
  q.pass(k_minute);
  q.tick();
  CHECK(runs(q) == 1);
  q.pass(Duration::seconds(-600));
  q.tick();
  CHECK(runs(q) == 1);
  q.pass(Duration::seconds(600));
  q.tick();
  CHECK(runs(q) == 1);
  q.pass(k_minute);
  q.tick();
  CHECK(runs(q) == 2);
}

TEST_CASE("missed runs are skipped, made up once, or all made up") {
  const auto after_an_hour = [](MissedRuns missed) {
    Queue q;
    ok(add(q, every("every 10m", missed)));
    q.pass(Duration::seconds(3600 + 300));  // six were due, the last five minutes ago
    q.tick();
    return std::pair(runs(q), found(q).missed_runs);
  };
  CHECK(after_an_hour(MissedRuns::skip) == std::pair<size_t, uint64_t>(0, 6));
  CHECK(after_an_hour(MissedRuns::once) == std::pair<size_t, uint64_t>(1, 5));
  CHECK(after_an_hour(MissedRuns::all) == std::pair<size_t, uint64_t>(6, 0));
}

TEST_CASE("what cannot be scheduled is missed with a reason, and the next is tried") {
  Queue q;
  Agent agent = *ok(ok(q.store().read()).find_agent("a1"));
  agent.definition.max_queue_depth = 1;
  ok(q.in_txn([&](AgentScheduler&, store::WriteTxn& txn) { return txn.save_agent(agent); }));
  ok(add(q, every("every 1m")));
  q.pass(k_minute);
  q.tick();
  q.pass(k_minute);
  q.tick();
  CHECK(runs(q) == 1);
  CHECK(found(q).detail.find("is full") != std::string::npos);
  CHECK(found(q).missed_runs == 1);
  q.finish(*q.claim());
  q.pass(k_minute);
  q.tick();
  CHECK(runs(q) == 1);
  CHECK(found(q).detail.empty());
}

TEST_CASE("what never comes, has a bad zone, a taken or a long id, or no agent is refused") {
  Queue q;
  Recurring wrong = every("0 0 30 2 *");
  CHECK(!add(q, wrong));
  wrong = every("@daily");
  wrong.timezone = "Mars/Olympus";
  CHECK(!add(q, wrong));
  wrong = every("@daily");
  wrong.id = std::string(48, 'x');
  CHECK(!add(q, wrong));
  wrong = every("@daily");
  wrong.line = R"({"agent":"ghost"})";
  CHECK(!add(q, wrong));
  ok(q.schedule(task_for("a1", "tick")));
  CHECK(!add(q, every("@daily")));
}

TEST_CASE("one that this version does not understand stands still, says why, and stops no other") {
  Queue q;
  Recurring strange = every("every other tuesday");
  strange.id = "strange";
  strange.due = q.now + Duration::seconds(30);
  ok(q.in_txn([&](AgentScheduler&, store::WriteTxn& txn) { return txn.save_recurring(strange); }));
  ok(add(q, every("every 1m")));
  q.pass(k_minute);
  q.tick();
  CHECK(runs(q) == 1);
  strange = *ok(ok(q.store().read()).find_recurring("strange"));
  CHECK_FALSE(strange.due.set());
  CHECK_FALSE(strange.detail.empty());
  CHECK(ok(AgentScheduler::next_tick(ok(q.store().read()))) == found(q).due);
}
