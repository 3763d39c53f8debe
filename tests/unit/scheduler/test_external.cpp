// SPDX-License-Identifier: Apache-2.0
// Agents that claim by hand: the lease is the fence.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

class External : public Queue {
 public:
  External() : Queue(std::vector<std::string>{}) {
    AgentDefinition person;
    person.id = "a1";
    person.kind = AgentKind::external;
    add_agent(person);
  }
  Task lease(Duration duration = Duration::seconds(10)) { return *claim("a1", duration); }
  Result<Task> extend(const std::string& id, uint64_t lease) {
    return in_txn([&](AgentScheduler& s, store::WriteTxn&) {
      return s.extend(id, lease, Duration::seconds(30));
    });
  }
  Result<AgentScheduler::Completion> complete(const std::string& id, uint64_t lease,
                                              const Outcome& outcome = {}) {
    return in_txn(
        [&](AgentScheduler& s, store::WriteTxn&) { return s.complete(id, lease, outcome); });
  }
  Result<Task> release(const std::string& id, uint64_t lease) {
    return in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.release(id, lease); });
  }
};

}  // namespace

TEST_CASE("a lease is given, extended and completed") {
  External q;
  ok(q.schedule(task_for("a1", "t1")));
  CHECK(refusal(q.extend("t1", 1)) == "task t1 is not claimed");
  const Task task = q.lease();
  CHECK(task.lease_until == q.now + Duration::seconds(10));
  q.pass(Duration::seconds(5));
  CHECK(ok(q.extend("t1", task.attempt_id)).lease_until == q.now + Duration::seconds(30));
  q.pass(Duration::seconds(20));
  CHECK(q.tick() == 0);
  Outcome outcome;
  outcome.result.head = "done";
  outcome.result_bytes = 4;
  const auto done = ok(q.complete("t1", task.attempt_id, outcome));
  CHECK_FALSE(done.late);
  CHECK(done.task.state == TaskState::completed);
  CHECK_FALSE(q.get("t1").lease_until.set());
  require_clean(q.store());
}

TEST_CASE("a lease that ran out is over: the next claim has the next attempt") {
  External q;
  ok(q.schedule(task_for("a1", "t1")));
  const Task first = q.lease();
  q.pass(Duration::seconds(10));
  CHECK(q.tick() == 1);
  CHECK(q.get("t1").state == TaskState::pending);
  CHECK(q.get("t1").lost_attempts == 1);
  CHECK(refusal(q.complete("t1", first.attempt_id)) ==
        "task t1 is not claimed any more: its lease is over");
  const Task second = q.lease();
  CHECK(second.attempt == 2);
  const std::string over = "lease " + std::to_string(first.attempt_id) +
                           " of task t1 is over: it was claimed again since";
  CHECK(refusal(q.complete("t1", first.attempt_id)) == over);
  CHECK(refusal(q.extend("t1", first.attempt_id)) == over);
  CHECK(refusal(q.release("t1", first.attempt_id)) == over);
  CHECK(refusal(q.complete("t1", 0)) == "which lease? the claim of task t1 has told it");
  CHECK_FALSE(ok(q.complete("t1", second.attempt_id)).late);
}

TEST_CASE("what is given back waits again and was not lost") {
  External q;
  ok(q.schedule(task_for("a1", "t1")));
  CHECK(ok(q.release("t1", q.lease().attempt_id)).state == TaskState::pending);
  CHECK(q.get("t1").lost_attempts == 0);
  CHECK(q.lease().attempt == 2);
}

TEST_CASE("an answer after the end changes nothing and is kept beside") {
  External q;
  ok(q.schedule(task_for("a1", "t1")));
  const Task task = q.lease();
  // Nobody can stop it: its cancel is done at once.
  CHECK(ok(q.cancel("t1")).task.state == TaskState::cancelled);
  Outcome outcome;
  outcome.result.head = "too late";
  const auto done = ok(q.complete("t1", task.attempt_id, outcome));
  CHECK(done.late);
  CHECK(q.get("t1").state == TaskState::cancelled);
  CHECK_FALSE(ok(ok(q.store().read()).find_result(task.sequence)));
  const std::vector<Attempt> attempts = ok(ok(q.store().read()).attempts(task.sequence));
  REQUIRE(attempts.size() == 1);
  CHECK(attempts[0].late);
  CHECK(attempts[0].detail == "too late");
  CHECK(ok(q.complete("t1", 12345)).late);  // a stranger's is not kept
  CHECK(ok(ok(q.store().read()).attempts(task.sequence)).size() == 1);
  require_clean(q.store());
}

TEST_CASE("a lease is not for tasks that fabric runs") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  const Task task = *q.claim();
  const auto release = q.in_txn(
      [&](AgentScheduler& s, store::WriteTxn&) { return s.release("t1", task.attempt_id); });
  CHECK(refusal(release) == "task t1 is run by fabric, not by an external agent");
}

TEST_CASE("a leased task times out after its running time, however long or often it is leased") {
  External q;
  Task given = task_for("a1", "t1");
  given.timeout = Duration::seconds(20);
  ok(q.schedule(given));
  const Task task = q.lease(Duration::seconds(15));
  CHECK(task.lease_until == q.now + Duration::seconds(15));
  q.pass(Duration::seconds(10));
  CHECK(ok(q.extend("t1", task.attempt_id)).lease_until == q.now + Duration::seconds(10));
  q.pass(Duration::seconds(9));
  CHECK(q.tick() == 0);
  q.pass(Duration::seconds(1));
  CHECK(q.tick() == 1);
  const Task over = q.get("t1");
  CHECK(over.state == TaskState::timed_out);
  CHECK(over.reason == Reason::timeout);
  CHECK(over.detail == "ran longer than 20s");
  CHECK(ok(q.complete("t1", task.attempt_id)).late);
  require_clean(q.store());
}

TEST_CASE("a lease that ends before the running time gives the next claim a running time anew") {
  External q;
  Task given = task_for("a1", "t1");
  given.timeout = Duration::seconds(20);
  ok(q.schedule(given));
  q.lease(Duration::seconds(15));
  q.pass(Duration::seconds(15));
  CHECK(q.tick() == 1);
  CHECK(q.get("t1").state == TaskState::pending);
  CHECK(q.lease(Duration::seconds(60)).lease_until == q.now + Duration::seconds(20));
}

TEST_CASE("the running time that an external agent sets holds for tasks that set none") {
  Queue q(std::vector<std::string>{});
  AgentDefinition person;
  person.id = "a1";
  person.kind = AgentKind::external;
  person.timeout = Duration::seconds(5);
  q.add_agent(person);
  Task given = task_for("a1", "t1");
  given.retry.limit = 1;
  given.retry.on = {"timed_out"};
  ok(q.schedule(given));
  CHECK(q.claim("a1", Duration::seconds(60))->lease_until == q.now + Duration::seconds(5));
  q.pass(Duration::seconds(5));
  CHECK(q.tick() == 1);
  CHECK(q.get("t1").state == TaskState::pending);  // its policy tries it again
  CHECK(q.get("t1").retries == 1);
}
