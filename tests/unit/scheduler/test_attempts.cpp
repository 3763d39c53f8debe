// SPDX-License-Identifier: Apache-2.0
// Claim, finish, requeue, cancel: attempts and their fencing.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;
using Requeue = AgentScheduler::Requeue;

TEST_CASE("a claim starts an attempt, its end is stored") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  q.pass(Duration::seconds(1));
  std::optional<Task> running = q.claim();
  REQUIRE(running);
  CHECK(running->state == TaskState::running);
  CHECK(running->attempt == 1);
  CHECK(running->attempt_id != 0);
  CHECK(running->started_at == q.now);
  CHECK(q.counts().running == 1);
  q.pass(Duration::seconds(1));
  Outcome outcome;
  outcome.exit_code = 0;
  outcome.result.head = "hello";
  outcome.result_bytes = 5;
  outcome.cpu = Duration::millis(7);
  outcome.memory_peak_bytes = 4096;
  Task done = *q.finish(*running, outcome);
  CHECK(done.state == TaskState::completed);
  Task stored = q.get("t1");
  CHECK(stored.state == TaskState::completed);
  CHECK(stored.reason == Reason::none);
  CHECK(stored.finished_at == q.now);
  CHECK(stored.exit_code == 0);
  CHECK(stored.result_bytes == 5);
  CHECK(stored.cpu == Duration::millis(7));
  CHECK(stored.memory_peak_bytes == 4096);
  CHECK(ok(ok(q.store().read()).find_result(stored.sequence))->head == "hello");
  CHECK(q.counts().completed == 1);
}

TEST_CASE("nothing to claim") {
  Queue q;
  CHECK_FALSE(q.claim());
}

TEST_CASE("an older attempt changes nothing") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  Task first = *q.claim();
  q.requeue(first, Requeue::lost);
  CHECK_FALSE(q.finish(first));  // it waits now
  Task second = *q.claim();
  CHECK(second.attempt == 2);
  CHECK(second.attempt_id != first.attempt_id);
  CHECK_FALSE(q.finish(first));
  CHECK_FALSE(q.requeue(first, Requeue::interrupted));
  CHECK(q.get("t1").state == TaskState::running);
  q.finish(second);
  CHECK_FALSE(q.finish(second, failed_with(1)));
  CHECK_FALSE(q.requeue(second, Requeue::lost));
  CHECK(q.get("t1").state == TaskState::completed);
}

TEST_CASE("the end of an unknown task changes nothing") {
  Queue q;
  Task unknown;
  unknown.sequence = 77;
  unknown.attempt_id = 1;
  CHECK_FALSE(q.finish(unknown));
  CHECK_FALSE(q.requeue(unknown, Requeue::lost));
}

TEST_CASE("attempts differ after a reopening") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  Task first = *q.claim();
  q.requeue(first, Requeue::interrupted);
  q.reopen();
  CHECK(q.claim()->attempt_id > first.attempt_id);
}

TEST_CASE("a requeued task keeps its place") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "t2")}));
  Task first = *q.claim();
  for (Requeue why : {Requeue::not_started, Requeue::interrupted}) {
    Task back = *q.requeue(first, why);
    CHECK(back.state == TaskState::pending);
    CHECK(back.reason == Reason::queued);
    CHECK(back.detail == "because");
    CHECK_FALSE(back.started_at.set());
    CHECK(back.lost_attempts == 0);
    first = *q.claim();
    CHECK(first.id == "t1");
    CHECK(first.detail.empty());
  }
  CHECK(first.attempt == 3);
}

TEST_CASE("a task that is lost too often fails") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "t2", {"t1"})}));
  for (uint32_t lost = 1; lost < 3; ++lost) {
    Task back = *q.requeue(*q.claim(), Requeue::lost);
    CHECK(back.state == TaskState::pending);
    CHECK(back.lost_attempts == lost);
    q.requeue(*q.claim(), Requeue::interrupted);  // does not count
  }
  Task failed = *q.requeue(*q.claim(), Requeue::lost);
  CHECK(failed.state == TaskState::failed);
  CHECK(failed.reason == Reason::lost);
  CHECK(failed.detail == "because");
  CHECK(q.get("t1").finished_at == q.now);
  CHECK(q.get("t2").state == TaskState::failed);
  CHECK(q.get("t2").detail == "dependency t1 failed");
}

TEST_CASE("max_lost of one allows no second try") {
  Queue q;
  q.rules.max_lost_attempts = 1;
  ok(q.schedule(task_for("a1", "t1")));
  CHECK(q.requeue(*q.claim(), Requeue::lost)->state == TaskState::failed);
}

TEST_CASE("a cancelled pending task is never handed out") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "t2", {"t1"}),
                                  task_for("a1", "t3", {"t2"}), task_for("a1", "t4")}));
  AgentScheduler::Cancelled done = ok(q.cancel("t1"));
  CHECK(done.was == TaskState::pending);
  CHECK(done.task.state == TaskState::cancelled);
  CHECK(done.task.reason == Reason::user);
  CHECK(done.dependents == std::vector<std::string>{"t2", "t3"});
  CHECK(q.get("t3").state == TaskState::cancelled);
  CHECK(q.get("t3").reason == Reason::dependency);
  CHECK(q.pending() == std::vector<std::string>{"t4"});
  CHECK(q.claimed_id() == "t4");
  CHECK_FALSE(q.claim());
}

TEST_CASE("cancelling a task that waits takes it out of the queue") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "t2", {"t1"})}));
  ok(q.cancel("t2"));
  q.finish(*q.claim());
  CHECK(q.get("t2").state == TaskState::cancelled);
  CHECK_FALSE(q.claim());
  require_clean(q.store());
}

TEST_CASE("a running task ends as cancelled whatever its attempt says") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "t2", {"t1"})}));
  Task running = *q.claim();
  AgentScheduler::Cancelled done = ok(q.cancel("t1"));
  CHECK(done.was == TaskState::running);
  CHECK(done.task.state == TaskState::running);
  CHECK(done.dependents.empty());
  CHECK(q.get("t1").reason == Reason::user);
  CHECK(ok(q.cancel("t1")).was == TaskState::running);  // a second time does no harm
  SECTION("it completes") { q.finish(running); }
  SECTION("it fails") { q.finish(running, failed_with(143)); }
  SECTION("it is lost") { q.requeue(running, Requeue::lost); }
  SECTION("it is interrupted") { q.requeue(running, Requeue::interrupted); }
  SECTION("it never started") { q.requeue(running, Requeue::not_started); }
  CHECK(q.get("t1").state == TaskState::cancelled);
  CHECK(q.get("t1").reason == Reason::user);
  CHECK(q.get("t2").state == TaskState::cancelled);
  CHECK(q.counts().running == 0);
  CHECK_FALSE(q.claim());
}

TEST_CASE("what has ended cannot be cancelled") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  q.finish(*q.claim(), failed_with(2));
  CHECK(refusal(q.cancel("t1")) == "task t1 is already failed");
  Result<AgentScheduler::Cancelled> unknown = q.cancel("t9");
  CHECK(refusal(unknown) == "task t9 not found");
  CHECK(unknown.error().code == ErrorCode::not_found);
  CHECK(q.get("t1").exit_code == 2);
}

TEST_CASE("the end of an agent ends its tasks") {
  Queue q({"a1", "a2"});
  ok(q.schedule(std::vector<Task>{task_for("a1", "r1"), task_for("a1", "r2"), task_for("a1", "p1"),
                                  task_for("a1", "p2", {"p1"}), task_for("a2", "other", {"p2"}),
                                  task_for("a2", "free"), task_for("a2", "after", {"r1"})}));
  Task r1 = *q.claim();
  Task r2 = *q.claim();
  ok(q.cancel("r2"));
  AgentScheduler::AgentGone gone = q.cancel_all();
  CHECK(gone.cancelled == 3);
  REQUIRE(gone.running.size() == 2);
  CHECK(q.get("p1").state == TaskState::cancelled);
  CHECK(q.get("p1").reason == Reason::agent_gone);
  CHECK(q.get("p1").detail == "agent a1 was terminated");
  CHECK(q.get("p2").state == TaskState::cancelled);
  CHECK(q.get("other").state == TaskState::cancelled);
  CHECK(q.get("free").state == TaskState::pending);
  CHECK(q.get("r1").reason == Reason::agent_gone);
  CHECK(q.get("r2").reason == Reason::user);
  q.finish(r1);
  CHECK(q.get("r1").state == TaskState::cancelled);
  CHECK(q.get("r1").reason == Reason::agent_gone);
  CHECK(q.get("after").state == TaskState::cancelled);
  q.requeue(r2, Requeue::lost);
  CHECK(q.get("r2").state == TaskState::cancelled);
  CHECK(q.pending("a1").empty());
  CHECK(q.pending("a2") == std::vector<std::string>{"free"});
  require_clean(q.store());
}

TEST_CASE("usage adds up over attempts, and an older attempt cannot report any more") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  const auto report = [&](const Task& task) {
    Usage usage;
    usage.output_tokens = 5;
    return ok(q.in_txn([&](AgentScheduler& s, store::WriteTxn&) {
      return s.add_usage(task.sequence, task.attempt_id, usage);
    }));
  };
  Task first = *q.claim();
  CHECK(report(first)->usage.output_tokens == 5);
  q.requeue(first, Requeue::lost);
  Task second = *q.claim();
  CHECK_FALSE(report(first));
  CHECK(report(second)->usage.output_tokens == 10);
  CHECK(q.finish(second)->usage.output_tokens == 10);
}

TEST_CASE("what was not committed did not happen") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  {
    store::WriteTxn txn = ok(q.store().write());
    AgentScheduler scheduler(txn, q.now);
    CHECK(ok(claim_first(scheduler, txn, *ok(txn.find_agent("a1"))))->id == "t1");
  }
  CHECK(q.get("t1").state == TaskState::pending);
  CHECK(q.claimed_id() == "t1");
}
