// SPDX-License-Identifier: Apache-2.0
// Tasks for whichever agent has what they require, and slots of labels.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

AgentDefinition with_tool(const std::string& id, const std::string& tool) {
  AgentDefinition definition;
  definition.id = id;
  definition.command = {"true"};
  definition.tools = {tool};
  return definition;
}
Task routed(const std::string& id, const std::string& tool = "browser") {
  Task task = task_for("", id);
  task.require = {{"tool", tool}};
  return task;
}

}  // namespace

TEST_CASE("a routed task goes to an agent that has it all, and to another the next time") {
  Queue q(std::vector<std::string>{});
  q.add_agent(with_tool("a1", "browser"));
  q.add_agent(with_tool("a2", "browser"));
  q.add_agent(with_tool("a3", "shell"));
  ok(q.schedule(routed("t1")));
  CHECK(q.get("t1").agent.empty());
  CHECK_FALSE(q.claim("a3"));
  const Task first = *q.claim("a2");
  CHECK(q.get("t1").agent == "a2");
  q.requeue(first, AgentScheduler::Requeue::interrupted);
  CHECK(q.get("t1").agent.empty());
  CHECK(q.claim("a1")->id == "t1");
  CHECK(ok(q.schedule(routed("t1")))[0].existed);  // where it went is no part of what was asked
  require_clean(q.store());
}

TEST_CASE("what nobody has is refused") {
  Queue q;
  const auto done = q.schedule(routed("t1"));
  CHECK(refusal(done) == "no agent has tool=browser");
  CHECK(done.error().code == ErrorCode::not_found);
  CHECK(q.counts().total() == 0);
}

TEST_CASE("a routed task that ends without a run is counted once") {
  Queue q(std::vector<std::string>{});
  q.add_agent(with_tool("a1", "browser"));
  ok(q.schedule(routed("t1")));
  ok(q.cancel("t1"));
  CHECK(q.counts().cancelled == 1);
  require_clean(q.store());
}

TEST_CASE("the end of an agent leaves what another may take") {
  Queue q(std::vector<std::string>{});
  q.add_agent(with_tool("a1", "browser"));
  q.add_agent(with_tool("a2", "browser"));
  ok(q.schedule(std::vector<Task>{routed("t1"), task_for("a1", "t2")}));
  CHECK(q.cancel_all("a1").cancelled == 1);
  CHECK(q.get("t2").state == TaskState::cancelled);
  CHECK(q.claim("a2")->id == "t1");
}

TEST_CASE("slots beyond what the workspace has are refused") {
  Queue q;
  q.rules.label_slots = {{"gpu", 2}};
  Task task = task_for("a1", "t1");
  task.slots = {{"gpu", 3}};
  CHECK(refusal(q.schedule(task)) == "task t1 needs 3 slots of gpu, and the workspace has 2");
  task.slots = {{"tpu", 1}};
  CHECK(refusal(q.schedule(task)) == "task t1 needs 1 slots of tpu, and the workspace has 0");
  task.slots = {{"gpu", 2}};
  ok(q.schedule(task));
  CHECK(q.get("t1").lane.slot_class != 0);
}
