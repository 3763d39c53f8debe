// SPDX-License-Identifier: Apache-2.0
// What time brings, moved by hand, also backwards.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

std::optional<WallTime> next(Queue& q) {
  return ok(AgentScheduler::next_tick(ok(q.store().read())));
}

}  // namespace

TEST_CASE("a start time is waited for") {
  Queue q;
  Task task = task_for("a1", "t1");
  task.start_at = q.now + Duration::seconds(10);
  ok(q.schedule(task));
  CHECK(q.get("t1").reason == Reason::not_before);
  CHECK(next(q) == task.start_at);
  q.pass(Duration::seconds(9));
  CHECK(q.tick() == 0);
  CHECK_FALSE(q.claim());
  q.pass(Duration::seconds(1));
  CHECK(q.tick() == 1);
  CHECK_FALSE(next(q));
  q.pass(Duration::seconds(-60));  // what was due stays due
  CHECK(q.claimed_id() == "t1");
  Task past = task_for("a1", "t2");
  past.start_at = q.now + Duration::seconds(-1);
  ok(q.schedule(past));
  CHECK(q.get("t2").reason == Reason::queued);
}

TEST_CASE("a start time counts also for one whose dependency took longer or shorter") {
  Queue q({"a1", "b1"});
  ok(q.schedule(task_for("b1", "dep")));
  Task task = task_for("a1", "t1", {"dep"});
  task.start_at = q.now + Duration::seconds(10);
  ok(q.schedule(task));
  CHECK(q.get("t1").reason == Reason::dependency);
  CHECK_FALSE(next(q));
  SECTION("shorter") {
    q.finish(*q.claim("b1"));
    CHECK(q.get("t1").reason == Reason::not_before);
    q.pass(Duration::seconds(10));
    CHECK(q.tick() == 1);
  }
  SECTION("longer") {
    q.pass(Duration::seconds(20));
    q.finish(*q.claim("b1"));
  }
  CHECK(q.claimed_id() == "t1");
}

TEST_CASE("a deadline ends what has not started, and what an external agent has") {
  Queue q({"a1"});
  AgentDefinition person;
  person.id = "person";
  person.kind = AgentKind::external;
  person.max_concurrent_tasks = 5;
  q.add_agent(person);
  const WallTime deadline = q.now + Duration::seconds(10);
  for (const auto& [agent, id] : {std::pair{"a1", "waits"}, {"a1", "runs"}, {"person", "leased"}}) {
    Task task = task_for(agent, id);
    task.deadline = deadline;
    ok(q.schedule(task));
  }
  ok(q.schedule(task_for("a1", "after", {"waits"})));
  ok(q.in_txn([&](AgentScheduler& s, store::WriteTxn&) {
    AgentScheduler::Change change;
    change.priority = Priority::critical;
    return s.change("runs", change);
  }));
  REQUIRE(q.claimed_id() == "runs");
  REQUIRE(q.claim("person", Duration::seconds(100)));
  CHECK(next(q) == deadline);
  q.now = deadline;
  CHECK(q.tick() == 2);
  for (const char* id : {"waits", "leased"}) {
    CHECK(q.get(id).state == TaskState::timed_out);
    CHECK(q.get(id).reason == Reason::deadline);
  }
  CHECK(q.get("after").detail == "dependency waits timed_out");
  CHECK(q.get("runs").state == TaskState::running);  // its supervisor ends it
  CHECK_FALSE(next(q));
  const auto late = q.schedule([&] {
    Task task = task_for("a1", "late");
    task.deadline = q.now;
    return task;
  }());
  CHECK(refusal(late) == "the deadline of task late has passed already");
  require_clean(q.store());
}

TEST_CASE("the time to live in the queue counts up to the first start") {
  Queue q;
  for (const char* id : {"started", "waits"}) {
    Task task = task_for("a1", id);
    task.queue_ttl = Duration::seconds(10);
    ok(q.schedule(task));
  }
  const Task started = *q.claim();
  q.requeue(started, AgentScheduler::Requeue::interrupted);
  q.pass(Duration::seconds(10));
  CHECK(q.tick() == 1);
  CHECK(q.get("waits").state == TaskState::timed_out);
  CHECK(q.get("waits").reason == Reason::queue_ttl);
  CHECK(q.get("waits").detail == "waited longer than 10s for its start");
  CHECK(q.get("started").state == TaskState::pending);
}

TEST_CASE("a tick decides about so many, soonest first") {
  Queue q;
  for (int i = 0; i < 5; ++i) {
    Task task = task_for("a1", "t" + std::to_string(i));
    task.start_at = q.now + Duration::seconds(10 - i);
    ok(q.schedule(task));
  }
  q.pass(Duration::seconds(20));
  CHECK(q.tick(2) == 2);
  CHECK(q.get("t4").reason == Reason::queued);
  CHECK(q.get("t3").reason == Reason::queued);
  CHECK(q.get("t2").reason == Reason::not_before);
  CHECK(q.tick(100) == 3);
  CHECK(q.tick(100) == 0);
  CHECK(q.claimed_id() == "t0");  // in order of submission, not of time
  require_clean(q.store());
}

TEST_CASE("one that cannot be decided keeps no other waiting") {
  Queue q;
  Task broken = task_for("a1", "broken");
  broken.exclusive = "key";
  broken.start_at = q.now + Duration::seconds(1);
  Task sound = task_for("a1", "sound");
  sound.start_at = q.now + Duration::seconds(2);
  ok(q.schedule({broken, sound}));
  const uint64_t other = q.get("sound").sequence;
  // Damage: the key is held by a task that has no key.
  ok(q.in_txn([&](AgentScheduler&, store::WriteTxn& txn) {
    return txn.set_exclusive_holder("key", other);
  }));
  q.pass(Duration::seconds(5));
  const AgentScheduler::Ticked ticked =
      ok(q.in_txn([](AgentScheduler& s, store::WriteTxn&) { return s.tick(100); }));
  REQUIRE(ticked.failed);
  CHECK(ticked.failed->message.find("key") != std::string::npos);
  CHECK(q.get("sound").reason == Reason::queued);
  CHECK(q.get("broken").reason == Reason::not_before);
}
