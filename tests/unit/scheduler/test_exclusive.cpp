// SPDX-License-Identifier: Apache-2.0
// Exclusive keys: of those with the same key one is ready or runs.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;
using Requeue = AgentScheduler::Requeue;

namespace {

Task keyed(const std::string& id, Priority priority = Priority::normal) {
  Task task = task_for("a1", id, {}, priority);
  task.exclusive = "db";
  return task;
}
std::string holder(Queue& q) {
  const store::ReadTxn txn = ok(q.store().read());
  const std::optional<uint64_t> sequence = ok(txn.exclusive_holder("db"));
  return sequence ? ok(txn.find_task(*sequence))->id : "";
}
void set_priority(Queue& q, const std::string& id, Priority priority) {
  ok(q.in_txn([&](AgentScheduler& s, store::WriteTxn&) {
    AgentScheduler::Change change;
    change.priority = priority;
    return s.change(id, change);
  }));
}

}  // namespace

TEST_CASE("waiters come by level, then in order of submission") {
  Queue q;
  for (const auto& [id, priority] : {std::pair{"t1", Priority::normal},
                                     {"t2", Priority::normal},
                                     {"low", Priority::low},
                                     {"t3", Priority::normal}})
    ok(q.schedule(keyed(id, priority)));
  CHECK(q.get("t2").reason == Reason::exclusive);
  Task running = *q.claim();
  CHECK(running.id == "t1");
  CHECK_FALSE(q.claim());
  ok(q.schedule(keyed("urgent", Priority::critical)));  // one that runs does not give way
  CHECK(q.get("urgent").reason == Reason::exclusive);
  for (const char* next : {"urgent", "t2", "t3", "low"}) {
    q.finish(running);
    CHECK(holder(q) == next);
    running = *q.claim();
    CHECK(running.id == next);
  }
  q.finish(running);
  CHECK(holder(q).empty());
  require_clean(q.store());
}

TEST_CASE("a holder that has not started gives way to a more urgent one") {
  Queue q;
  ok(q.schedule(keyed("t1", Priority::low)));
  ok(q.schedule(keyed("t2", Priority::high)));
  CHECK(q.get("t1").reason == Reason::exclusive);
  CHECK(q.get("t2").reason == Reason::queued);
  CHECK(holder(q) == "t2");
  ok(q.schedule(keyed("t3", Priority::high)));  // not to an equal
  CHECK(holder(q) == "t2");
  require_clean(q.store());
}

TEST_CASE("a holder gives way also to one that becomes more urgent while it waits") {
  Queue q;
  for (const char* id : {"t1", "t2"}) ok(q.schedule(keyed(id, Priority::low)));
  SECTION("its priority is changed") { set_priority(q, "t2", Priority::high); }
  SECTION("that of the holder is changed") {
    set_priority(q, "t1", Priority::normal);
    CHECK(holder(q) == "t1");
    set_priority(q, "t2", Priority::normal);
    CHECK(holder(q) == "t1");  // equals
    set_priority(q, "t1", Priority::low);
  }
  SECTION("an urgent task waits for it") {
    ok(q.schedule(task_for("a1", "urgent", {"t2"}, Priority::critical)));
  }
  CHECK(holder(q) == "t2");
  CHECK(q.get("t1").reason == Reason::exclusive);
  CHECK(q.claimed_id() == "t2");
  require_clean(q.store());
}

TEST_CASE("the key is free when its holder ends or stops waiting in the queue") {
  Queue q;
  Task first = keyed("t1");
  first.retry.limit = 1;
  first.retry.backoff = ok(parse_backoff("10s"));
  ok(q.schedule(first));
  ok(q.schedule(keyed("t2")));
  SECTION("cancelled before it started") { ok(q.cancel("t1")); }
  SECTION("failed, and waits for its retry") {
    q.finish(*q.claim(), failed_with(1));
    CHECK(q.get("t1").reason == Reason::not_before);
  }
  SECTION("the end of its agent") { q.cancel_all(); }
  if (q.get("t2").state == TaskState::pending)
    CHECK(holder(q) == "t2");
  else
    CHECK(holder(q).empty());
  require_clean(q.store());
}

TEST_CASE("a requeued holder keeps the key") {
  Queue q;
  ok(q.schedule(keyed("t1")));
  ok(q.schedule(keyed("t2")));
  q.requeue(*q.claim(), Requeue::interrupted);
  CHECK(holder(q) == "t1");
  CHECK(q.claimed_id() == "t1");
}

TEST_CASE("a holder whose start lies ahead again, since the clock went back, leaves the key") {
  Queue q;
  Task first = keyed("t1");
  first.start_at = q.now;
  first.retry.limit = 1;
  ok(q.schedule(first));
  ok(q.schedule(keyed("t2")));
  const Task running = *q.claim();
  q.pass(Duration::seconds(-10));
  SECTION("requeued") { q.requeue(running, Requeue::interrupted); }
  SECTION("to be tried again at once") { q.finish(running, failed_with(1)); }
  CHECK(q.get("t1").reason == Reason::not_before);
  CHECK(holder(q) == "t2");
  require_clean(q.store());
}
