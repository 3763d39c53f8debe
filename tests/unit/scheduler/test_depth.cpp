// SPDX-License-Identifier: Apache-2.0
// How many tasks may wait: of an agent, of the workspace.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

AgentDefinition named(const std::string& id, uint32_t depth) {
  AgentDefinition definition;
  definition.id = id;
  definition.command = {"true"};
  definition.max_queue_depth = depth;
  return definition;
}
Result<Task> move(Queue& q, const std::string& id, const std::string& agent) {
  return q.in_txn([&](AgentScheduler& s, store::WriteTxn&) {
    AgentScheduler::Change change;
    change.agent = agent;
    return s.change(id, change);
  });
}

}  // namespace

TEST_CASE("a full queue says how full it is, since when, and what to do") {
  Queue q(std::vector<std::string>{});
  q.add_agent(named("a1", 2));
  ok(q.schedule(task_for("a1", "t1")));
  q.pass(Duration::seconds(90));
  ok(q.schedule(task_for("a1", "t2", {"t1"})));  // one that waits for another counts
  const auto third = q.schedule(task_for("a1", "t3"));
  CHECK(refusal(third) ==
        "the queue of agent a1 is full: 2 tasks are pending, the limit is 2; the oldest is t1, "
        "since 1m 30s");
  CHECK(third.error().code == ErrorCode::queue_full);
  CHECK(third.error().hint == "wait with --wait-for-space DURATION, or raise max_queue_depth");
  q.claim();  // one that runs does not count
  ok(q.schedule(task_for("a1", "t3")));
}

TEST_CASE("a batch is refused whole") {
  Queue q(std::vector<std::string>{});
  q.add_agent(named("a1", 2));
  q.add_agent(named("a2", 0));
  CHECK_FALSE(q.schedule(std::vector<Task>{task_for("a2", "t1"), task_for("a1", "t2"),
                                           task_for("a1", "t3"), task_for("a1", "t4")}));
  CHECK(q.counts().total() == 0);
  ok(q.schedule(std::vector<Task>{task_for("a1", "t2"), task_for("a1", "t3")}));
  // The same tasks again are no new ones; nor does one count that fails at once.
  ok(q.schedule(std::vector<Task>{task_for("a1", "t2"), task_for("a1", "t3")}));
  ok(q.cancel("t2"));
  ok(q.schedule(task_for("a1", "t5")));
  ok(q.schedule(task_for("a1", "t6", {"t2"})));
  CHECK(q.get("t6").state == TaskState::cancelled);
}

TEST_CASE("the workspace has a limit too") {
  Queue q({"a1", "a2"});
  q.rules.max_pending_tasks = 2;
  ok(q.schedule(task_for("a1", "t1")));
  ok(q.schedule(task_for("a2", "t2")));
  const auto third = q.schedule(task_for("a2", "t3"));
  // The oldest of all, in whichever queue it is.
  CHECK_THAT(refusal(third), Catch::StartsWith("the workspace is full: 2 tasks are pending, the "
                                               "limit is 2; the oldest is t1,"));
  CHECK(third.error().hint == "wait with --wait-for-space DURATION, or raise max_pending_tasks");
}

TEST_CASE("a task can move to another agent of a full workspace, not to a full queue") {
  Queue q({"a1"});
  q.add_agent(named("a2", 1));
  q.rules.max_pending_tasks = 2;
  ok(q.schedule(task_for("a1", "t1")));
  ok(q.schedule(task_for("a1", "t2")));
  CHECK(ok(move(q, "t1", "a2")).agent == "a2");
  CHECK_THAT(refusal(move(q, "t2", "a2")), Catch::StartsWith("the queue of agent a2 is full"));
  CHECK(q.claimed_id("a2") == "t1");
  CHECK(q.claimed_id("a1") == "t2");
  require_clean(q.store());
}
