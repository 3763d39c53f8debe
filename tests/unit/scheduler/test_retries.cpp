// SPDX-License-Identifier: Apache-2.0
// Retries that a policy makes, the dead-letter list, and retry() by hand.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;
using Requeue = AgentScheduler::Requeue;

namespace {

Task retried(const std::string& id, uint32_t limit, std::vector<std::string> on = {},
             const std::string& backoff = "none") {
  Task task = task_for("a1", id);
  task.retry.limit = limit;
  task.retry.on = std::move(on);
  task.retry.backoff = ok(parse_backoff(backoff));
  return task;
}
Outcome ended(TaskState state, Reason reason, std::optional<int> exit_code = {}) {
  Outcome outcome;
  outcome.state = state;
  outcome.reason = reason;
  outcome.exit_code = exit_code;
  return outcome;
}
Result<Task> retry(Queue& q, const std::string& id) {
  return q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.retry(id); });
}
std::vector<Attempt> attempts(Queue& q, const std::string& id) {
  const store::ReadTxn txn = ok(q.store().read());
  return ok(txn.attempts(ok(txn.find_task(id))->sequence));
}
size_t dead(Queue& q) { return ok(ok(q.store().read()).dead_tasks()).size(); }

}  // namespace

TEST_CASE("each attempt is a record, and the last failure is final") {
  Queue q;
  ok(q.schedule(retried("t1", 2)));
  for (uint32_t attempt = 1; attempt <= 2; ++attempt) {
    const Task back = *q.finish(*q.claim(), failed_with(7));
    CHECK(back.state == TaskState::pending);
    CHECK(back.reason == Reason::queued);
    CHECK(back.retries == attempt);
    CHECK_FALSE(back.exit_code);
    CHECK(back.detail == "attempt " + std::to_string(attempt) + " failed: exit code 7");
    CHECK(dead(q) == 0);
  }
  const Task done = *q.finish(*q.claim(), failed_with(8));
  CHECK(done.state == TaskState::failed);
  CHECK(done.attempt == 3);
  CHECK(done.dead);
  CHECK(dead(q) == 1);
  const std::vector<Attempt> records = attempts(q, "t1");
  REQUIRE(records.size() == 2);
  CHECK(records[1].number == 2);
  CHECK(records[1].state == TaskState::failed);
  CHECK(records[1].exit_code == 7);
  CHECK(records[1].agent == "a1");
  require_clean(q.store());
}

TEST_CASE("the pause before a retry is waited for") {
  Queue q;
  ok(q.schedule(retried("t1", 3, {}, "exp:10s:15s")));
  for (int64_t least : {10, 15}) {
    const Task back = *q.finish(*q.claim(), failed_with(1));
    CHECK(back.reason == Reason::not_before);
    CHECK(back.not_before >= q.now + Duration::seconds(least));
    CHECK(back.not_before <= q.now + Duration::millis(least * 1100));
    CHECK(q.tick() == 0);
    CHECK_FALSE(q.claim());
    q.now = back.not_before;
    CHECK(q.tick() == 1);
    CHECK(q.get("t1").reason == Reason::queued);
  }
  require_clean(q.store());
}

TEST_CASE("which ends are tried again") {
  struct Case {
    std::vector<std::string> on;
    Outcome outcome;
    bool again;
  };
  const Outcome failed = ended(TaskState::failed, Reason::memory);
  const Outcome exit3 = ended(TaskState::failed, Reason::exit, 3);
  const Outcome late = ended(TaskState::timed_out, Reason::timeout);
  const Outcome too_late = ended(TaskState::timed_out, Reason::deadline);
  const Outcome cancelled = ended(TaskState::cancelled, Reason::none);
  const std::vector<Case> cases{
      {{}, failed, true},
      {{}, late, true},
      {{}, too_late, false},  // it could only be late again
      {{"timed_out"}, too_late, false},
      {{}, cancelled, false},
      {{}, {}, false},
      {{"failed"}, failed, true},
      {{"failed"}, late, false},
      {{"timed_out"}, late, true},
      {{"timed_out"}, exit3, false},
      {{"exit:3"}, exit3, true},
      {{"exit:4"}, exit3, false},
      {{"exit:4", "failed"}, exit3, true},
      {{"lost"}, failed, false},
  };
  for (const Case& c : cases) {
    Queue q;
    ok(q.schedule(retried("t1", 1, c.on)));
    const Task after = *q.finish(*q.claim(), c.outcome);
    INFO((c.on.empty() ? "" : c.on[0]) << " " << to_string(c.outcome.reason));
    CHECK((after.state == TaskState::pending) == c.again);
  }
}

TEST_CASE("a lost task is tried again when it was lost too often and its policy covers that") {
  Queue q;
  q.rules.max_lost_attempts = 1;
  ok(q.schedule(retried("t1", 1, {"lost"})));
  ok(q.schedule(retried("t2", 1, {"failed"})));
  CHECK(q.requeue(*q.claim(), Requeue::lost)->state == TaskState::pending);
  const Task done = *q.requeue(*q.claim(), Requeue::lost);
  CHECK(done.state == TaskState::failed);
  CHECK(done.reason == Reason::lost);
  CHECK(q.requeue(*q.claim(), Requeue::lost)->state == TaskState::failed);
  CHECK(dead(q) == 2);
}

TEST_CASE("what an earlier attempt printed is not the result of a later one") {
  Queue q;
  ok(q.schedule(retried("t1", 1)));
  Outcome first = failed_with(1);
  first.result.head = "half of it";
  first.result_bytes = 10;
  q.finish(*q.claim(), first);
  const Task done = *q.finish(*q.claim());
  CHECK(done.state == TaskState::completed);
  CHECK(done.result_bytes == 0);
  const auto result = ok(ok(q.store().read()).find_result(done.sequence));
  CHECK((result ? result->head : "").empty());
}

TEST_CASE("retry makes a new task, once") {
  Queue q;
  Task task = retried("t1", 1);
  task.metadata = {{"k", "v"}};
  task.group = "g";
  ok(q.schedule(task));
  q.finish(*q.claim(), failed_with(1));
  CHECK(refusal(retry(q, "t1")) == "task t1 has not ended: it is pending");
  q.finish(*q.claim(), failed_with(1));
  CHECK(dead(q) == 1);
  const Task again = ok(retry(q, "t1"));
  CHECK(again.id == "t1.r1");
  CHECK(again.retry_of == "t1");
  CHECK(again.state == TaskState::pending);
  CHECK(again.attempt == 0);
  CHECK(again.metadata == task.metadata);
  CHECK(again.group == "g");
  CHECK(q.get("t1").retried_as == "t1.r1");
  CHECK(q.get("t1").state == TaskState::failed);
  CHECK(dead(q) == 0);
  CHECK(refusal(retry(q, "t1")) == "task t1 was retried as t1.r1");
  q.finish(*q.claim());
  CHECK(refusal(retry(q, "t1.r1")) == "task t1.r1 has completed");
  require_clean(q.store());
}

TEST_CASE("a retry waits for the retries of what it needed") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  Task second = task_for("a1", "t2", {"t1"});
  second.payload = R"({"x": "{tasks.t1.result}"})";
  ok(q.schedule(second));
  q.finish(*q.claim(), failed_with(1));
  CHECK(q.get("t2").state == TaskState::failed);
  CHECK(refusal(retry(q, "t2")) == "task t2 would fail again: dependency t1 failed");
  CHECK_FALSE(ok(ok(q.store().read()).find_task("t2.r2")));
  ok(retry(q, "t1"));
  const Task again = ok(retry(q, "t2"));
  CHECK(again.depends_on == std::vector<std::string>{"t1.r1"});
  CHECK(again.payload == R"({"x": "{tasks.t1.r1.result}"})");
  CHECK(again.reason == Reason::dependency);
}

TEST_CASE("the id of a retry has room for any number") {
  Queue q;
  const std::string id(64, 'i');
  ok(q.schedule(task_for("a1", id)));
  q.finish(*q.claim(), failed_with(1));
  Task again = ok(retry(q, id));
  for (int i = 0; i < 3; ++i) {
    q.finish(*q.claim(), failed_with(1));
    again = ok(retry(q, again.id));
    CHECK(again.id.size() <= 64);
  }
  CHECK(retry_id(id, 12345678901234567890U).size() == 64);
  CHECK(retry_id("short", 7) == "short.r7");
}

TEST_CASE("what is retried waits for the last try of what it waited for") {
  Queue q;
  ok(q.schedule({task_for("a1", "first"), task_for("a1", "second", {"first"})}));
  Outcome bad;
  bad.state = TaskState::failed;
  bad.reason = Reason::exit;
  const auto retry = [&](const std::string& id) {
    return q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.retry(id); });
  };
  q.finish(*q.claim(), bad);
  CHECK(q.get("second").state == TaskState::failed);
  CHECK(refusal(retry("second")).find("would fail again") != std::string::npos);
  const std::string again = ok(retry("first")).id;
  q.finish(*q.claim(), bad);
  const std::string last = ok(retry(again)).id;
  CHECK(ok(retry("second")).depends_on == std::vector<std::string>{last});
}
