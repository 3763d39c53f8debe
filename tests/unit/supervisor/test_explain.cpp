// SPDX-License-Identifier: Apache-2.0
// Why a task waits, at a time that the test moves by hand.
#include "supervisor/explain.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

class Case : public Clock {
 public:
  Case() {
    for (const char* id : {"a1", "a2"}) {
      AgentDefinition definition;
      definition.id = id;
      definition.command = {"true"};
      definition.pool = "web";
      add(definition);
    }
  }
  [[nodiscard]] WallTime now() const override { return queue.now; }
  [[nodiscard]] MonoTime monotonic() const override { return {queue.now.us * 1000}; }

  void add(const AgentDefinition& definition, AgentState state = AgentState::ready) {
    Agent agent;
    agent.definition = definition;
    agent.state = state;
    ok(queue.in_txn([&](AgentScheduler&, store::WriteTxn& txn) { return txn.save_agent(agent); }));
  }
  void pressure(uint32_t degree) {
    ok(queue.in_txn([&](AgentScheduler&, store::WriteTxn& txn) {
      store::SupervisorRecord record;
      record.pressure = "cpu pressure 90 %";
      record.pressure_degree = degree;
      return txn.save_supervisor(record);
    }));
  }
  void pause(PauseKind kind, const std::string& name) {
    ok(queue.in_txn([&](AgentScheduler& s, store::WriteTxn&) {
      return s.pause({kind, name, "me", {}});
    }));
  }
  void schedule(Task task) { ok(queue.schedule(std::move(task))); }
  Explanation of(const std::string& id, bool supervised = true) {
    return ok(explain(ok(queue.store().read()), rules, id, supervised, *this));
  }
  std::string kinds(const std::string& id, bool supervised = true) {
    std::string text;
    for (const Explanation::Reason& reason : of(id, supervised).reasons) text += reason.kind + " ";
    return text;
  }
  std::string text(const std::string& id, const std::string& kind) {
    for (const Explanation::Reason& reason : of(id).reasons)
      if (reason.kind == kind) return reason.text;
    return "(no such reason)";
  }

  Queue queue{{}};
  DispatchRules rules;
};

}  // namespace

TEST_CASE("a task with nothing in its way waits for its turn only") {
  Case c;
  c.schedule(task_for("a1", "t1"));
  CHECK(c.kinds("t1") == "turn ");
  CHECK(c.kinds("t1", false) == "no_supervisor turn ");
  CHECK(c.of("t1", false).next == "fabric up --detach");
  CHECK(refusal(explain(ok(c.queue.store().read()), c.rules, "t2", true, c)) ==
        "task t2 not found");
}

TEST_CASE("every reason is told, also where more than one would do") {
  Case c;
  c.rules.workspace_slots = 1;
  c.rules.pool_slots = {{"web", 1}};
  c.rules.label_slots = {{"gpu", 1}};
  c.queue.rules.label_slots = c.rules.label_slots;
  Task first = task_for("a1", "first");
  first.slots = {{"gpu", 1}};
  c.schedule(first);
  c.queue.claim("a1");
  Task second = task_for("a1", "second", {}, Priority::low);
  second.slots = {{"gpu", 1}};
  c.schedule(second);
  c.pause(PauseKind::agent, "a1");
  c.pause(PauseKind::priority, "low");
  c.pressure(1);
  CHECK(c.kinds("second") ==
        "paused paused pressure agent_slots pool_slots workspace_slots label_slots turn ");
  CHECK(c.of("second").next == "fabric resume a1");
  CHECK(c.text("second", "agent_slots") == "agent a1 is busy: 1 of 1 slot in use by first");
  CHECK_THAT(c.text("second", "pool_slots"), Catch::Contains("1 slot in use by first"));
}

TEST_CASE("pauses count for what is held back too, and others' do not") {
  Case c;
  c.schedule(task_for("a1", "t1"));
  c.schedule(task_for("a1", "t2", {"t1"}));
  c.schedule(task_for("a2", "t3"));
  c.pause(PauseKind::agent, "a1");
  CHECK(c.kinds("t2") == "dependency paused ");
  CHECK(c.kinds("t3") == "turn ");
}

TEST_CASE("pressure of the first degree holds up low tasks, of the second normal ones too") {
  Case c;
  c.schedule(task_for("a1", "low", {}, Priority::low));
  c.schedule(task_for("a1", "normal"));
  c.schedule(task_for("a1", "high", {}, Priority::high));
  c.pressure(1);
  CHECK_THAT(c.kinds("low"), Catch::StartsWith("pressure"));
  CHECK_THAT(c.kinds("normal"), !Catch::Contains("pressure"));
  c.pressure(2);
  CHECK_THAT(c.kinds("normal"), Catch::StartsWith("pressure"));
  CHECK_THAT(c.kinds("high"), !Catch::Contains("pressure"));
  // Of a supervisor that is gone.
  CHECK_THAT(c.kinds("low", false), !Catch::Contains("pressure"));
}

TEST_CASE("an agent that is not there is named with its state, while no other may take the task") {
  Case c;
  AgentDefinition definition;
  definition.id = "b1";
  definition.tools = {"browser"};
  c.add(definition, AgentState::failed);
  Task task = task_for("", "t1");
  task.require = {{"tool", "browser"}};
  c.schedule(task);
  CHECK(c.kinds("t1") == "require no_agent turn ");
  CHECK(c.text("t1", "no_agent") == "agent b1 is failed");
  definition.id = "b2";
  c.add(definition);
  CHECK(c.kinds("t1") == "require turn ");
}

TEST_CASE("what goes first: tasks before it, other shares, more urgent levels") {
  Case c;
  for (int i = 0; i < 3; ++i) c.schedule(task_for("a1", "t" + std::to_string(i)));
  CHECK_THAT(c.text("t2", "turn"), Catch::StartsWith("2 tasks of its share and priority are"));
  Task other = task_for("a1", "other");
  other.share = "team";
  c.schedule(other);
  c.schedule(task_for("a1", "urgent", {}, Priority::critical));
  CHECK(c.kinds("t2") == "turn share level ");
  CHECK(c.text("t2", "level") == "its share has more urgent tasks that are ready: critical");
}

TEST_CASE("a start time and a retry tell how long") {
  Case c;
  Task later = task_for("a1", "later");
  later.start_at = c.queue.now + Duration::seconds(90);
  c.schedule(later);
  CHECK_THAT(c.text("later", "not_before"), Catch::EndsWith("in 1m 30s"));
  Task again = task_for("a1", "again");
  again.retry.limit = 2;
  again.retry.backoff.first = Duration::seconds(60);
  c.schedule(again);
  c.queue.finish(*c.queue.claim("a1"), failed_with(3));
  CHECK(c.kinds("again") == "not_before retry ");
  CHECK_THAT(c.text("again", "retry"),
             Catch::Contains("retry 1 of 2") && Catch::Contains("exit code 3"));
}

TEST_CASE("a failure is followed to where it began") {
  Case c;
  c.schedule(task_for("a1", "one"));
  c.schedule(task_for("a1", "two", {"one"}));
  c.schedule(task_for("a1", "three", {"two"}));
  c.queue.finish(*c.queue.claim("a1"), failed_with(3));
  CHECK(c.kinds("three") == "failed dependency dependency ");
  CHECK(c.of("three").reasons[2].text == "it needed one, which ended as failed: exit code 3");
  CHECK(c.of("three").next == "fabric explain one");
  CHECK(c.kinds("one") == "failed ");
}
