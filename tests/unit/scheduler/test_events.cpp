// SPDX-License-Identifier: Apache-2.0
// One event a transition, in order.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

// "t1 task.scheduled", what came since it was asked last.
class Told {
 public:
  explicit Told(Queue& q) : q_(q) {}
  std::vector<std::string> news() {
    std::vector<std::string> lines;
    for (const Event& event : ok(ok(q_.store().read()).events(seen_, 1000))) {
      REQUIRE(event.sequence == seen_ + 1);
      CHECK(event.at == q_.now);
      seen_ = event.sequence;
      lines.push_back((event.task.empty() ? "" : event.task + " ") +
                      std::string(to_string(event.kind)));
    }
    return lines;
  }

 private:
  Queue& q_;
  uint64_t seen_ = 0;
};
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("events of a life") {
  Queue q;
  Told told(q);
  Task task = task_for("a1", "t1");
  task.retry.limit = 1;
  task.group = "g";
  ok(q.schedule(task));
  CHECK(told.news() == Lines{"t1 task.scheduled"});
  CHECK(ok(q.schedule(task))[0].existed);
  CHECK(told.news().empty());
  const Task first = *q.claim();
  CHECK(told.news() == Lines{"t1 task.started"});
  q.requeue(first, AgentScheduler::Requeue::interrupted);
  CHECK(told.news() == Lines{"t1 task.requeued"});
  q.finish(*q.claim(), failed_with(1));
  CHECK(told.news() == Lines{"t1 task.started", "t1 task.retrying"});
  const Task last = *q.claim();
  q.finish(last);
  CHECK(told.news() == Lines{"t1 task.started", "t1 task.completed"});
  q.finish(last);  // stale
  CHECK(told.news().empty());
  const Event event = ok(ok(q.store().read()).events(0, 1000)).back();
  CHECK(event.agent == "a1");
  CHECK(event.group == "g");
  CHECK(event.attempt == 3);
  CHECK(event.state == TaskState::completed);
  CHECK(event.task_sequence == last.sequence);
}

TEST_CASE("an end comes before what follows from it") {
  Queue q;
  Told told(q);
  Task finish = task_for("a1", "cleanup", {"t2"});
  finish.after = AfterPolicy::finish;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "t2", {"t1"}), finish}));
  told.news();
  SECTION("failed") {
    q.finish(*q.claim(), failed_with(1));
    CHECK(told.news() ==
          Lines{"t1 task.started", "t1 task.failed", "t2 task.failed", "cleanup task.ready"});
  }
  SECTION("cancelled") {
    ok(q.cancel("t1"));
    CHECK(told.news() == Lines{"t1 task.cancelled", "t2 task.cancelled", "cleanup task.ready"});
  }
  SECTION("completed") {
    q.finish(*q.claim());
    CHECK(told.news() == Lines{"t1 task.started", "t1 task.completed", "t2 task.ready"});
  }
  SECTION("a task that fails as it is scheduled") {
    q.finish(*q.claim(), failed_with(1));
    told.news();
    ok(q.schedule(task_for("a1", "late", {"t1"})));
    CHECK(told.news() == Lines{"late task.scheduled", "late task.failed"});
  }
}

TEST_CASE("events of keys, times, pauses and leases") {
  Queue q;
  Told told(q);
  Task keyed = task_for("a1", "k1");
  keyed.exclusive = "db";
  ok(q.schedule(keyed));
  keyed.id = "k2";
  ok(q.schedule(keyed));
  Task later = task_for("a1", "later");
  later.start_at = q.now + Duration::seconds(5);
  ok(q.schedule(later));
  told.news();
  ok(q.cancel("k1"));
  CHECK(told.news() == Lines{"k1 task.cancelled", "k2 task.ready"});
  q.pass(Duration::seconds(5));
  q.tick();
  CHECK(told.news() == Lines{"later task.ready"});
  Pause pause;
  ok(q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.pause(pause); }));
  ok(q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.pause(pause); }));
  ok(q.in_txn([&](AgentScheduler& s, store::WriteTxn&) { return s.resume(pause); }));
  CHECK(told.news() == Lines{"paused", "resumed"});
  const Task leased = *q.claim("a1", Duration::seconds(5));
  ok(q.in_txn([&](AgentScheduler& s, store::WriteTxn&) {
    return s.extend(leased.id, leased.attempt_id, Duration::seconds(9));
  }));
  CHECK(told.news() == Lines{leased.id + " task.started", leased.id + " task.extended"});
  q.pass(Duration::seconds(9));
  q.tick();
  CHECK(told.news() == Lines{leased.id + " task.requeued"});
}
