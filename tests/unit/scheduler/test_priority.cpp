// SPDX-License-Identifier: Apache-2.0
// Levels: what an urgent task waits for is as urgent itself.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

Priority level(Queue& q, const std::string& id) { return q.get(id).lane.level; }
Result<Task> set_priority(Queue& q, const std::string& id, Priority priority) {
  return q.in_txn([&](AgentScheduler& s, store::WriteTxn&) {
    AgentScheduler::Change change;
    change.priority = priority;
    return s.change(id, change);
  });
}

}  // namespace

TEST_CASE("a chain is as urgent as the task at its end") {
  Queue q({"a1", "a2"});
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1", {}, Priority::low),
                                  task_for("a2", "t2", {"t1"}, Priority::normal),
                                  task_for("a1", "other", {}, Priority::normal)}));
  CHECK(level(q, "t1") == Priority::normal);
  ok(q.schedule(task_for("a1", "t3", {"t2"}, Priority::critical)));
  CHECK(level(q, "t1") == Priority::critical);
  CHECK(level(q, "t2") == Priority::critical);
  CHECK(q.get("t1").priority == Priority::low);  // what was said stays
  CHECK(q.claimed_id() == "t1");
  require_clean(q.store());
}

TEST_CASE("a task that does not wait any more raises nothing") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "done"), task_for("a1", "slow", {}, Priority::low),
                                  task_for("a1", "slower", {}, Priority::low)}));
  q.finish(*q.claim());
  Task any = task_for("a1", "any", {"done", "slow"}, Priority::high);
  any.after = AfterPolicy::any;
  ok(q.schedule(any));
  CHECK(level(q, "slow") == Priority::low);
  // Nor does what waits for one that was released.
  Task first = task_for("a1", "first", {"done", "slower"}, Priority::normal);
  first.after = AfterPolicy::any;
  ok(q.schedule(first));
  ok(q.schedule(task_for("a1", "last", {"first"}, Priority::critical)));
  CHECK(level(q, "first") == Priority::critical);
  CHECK(level(q, "slower") == Priority::low);
}

TEST_CASE("what runs comes back at the level of those that wait for it") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1", {}, Priority::low)));
  const Task running = *q.claim();
  ok(q.schedule(task_for("a1", "urgent", {"t1"}, Priority::critical)));
  ok(q.schedule(task_for("a1", "other", {}, Priority::high)));
  q.requeue(running, AgentScheduler::Requeue::interrupted);
  CHECK(level(q, "t1") == Priority::critical);
  CHECK(q.claimed_id() == "t1");
  require_clean(q.store());
}

TEST_CASE("another priority takes along what the task waits for") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1", {}, Priority::low),
                                  task_for("a1", "t2", {"t1"}, Priority::low)}));
  ok(set_priority(q, "t2", Priority::high));
  CHECK(level(q, "t2") == Priority::high);
  CHECK(level(q, "t1") == Priority::high);
  CHECK(q.get("t1").priority == Priority::low);
}

TEST_CASE("a lower priority does not go below what waits for the task") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1", {}, Priority::high),
                                  task_for("a1", "t2", {"t1"}, Priority::normal)}));
  ok(set_priority(q, "t1", Priority::low));
  CHECK(q.get("t1").priority == Priority::low);
  CHECK(level(q, "t1") == Priority::normal);
  ok(q.cancel("t2"));
  ok(set_priority(q, "t1", Priority::low));
  CHECK(level(q, "t1") == Priority::low);
}
