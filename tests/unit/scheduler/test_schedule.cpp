// SPDX-License-Identifier: Apache-2.0
// Into the queue and out of it: batches, ids, priorities, order.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

TEST_CASE("a scheduled task is pending with what was said and the time of now") {
  Queue q;
  Task task = task_for("a1", "t1");
  task.type = "x";
  task.metadata = {{"k", "v"}};
  std::vector<Scheduled> done = ok(q.schedule(task));
  REQUIRE(done.size() == 1);
  CHECK_FALSE(done[0].existed);
  CHECK(done[0].task.sequence != 0);
  Task stored = q.get("t1");
  CHECK(stored.agent == "a1");
  CHECK(stored.type == "x");
  CHECK(stored.payload == R"({"n": 1})");
  CHECK(stored.metadata == task.metadata);
  CHECK(stored.state == TaskState::pending);
  CHECK(stored.reason == Reason::queued);
  CHECK(stored.priority == Priority::normal);
  CHECK(stored.created_at == q.now);
}

TEST_CASE("a task for an unknown agent is refused and nothing is queued") {
  Queue q;
  Result<std::vector<Scheduled>> done = q.schedule(task_for("ghost", "t1"));
  CHECK(refusal(done) == "agent ghost not found");
  CHECK(done.error().code == ErrorCode::not_found);
  CHECK(q.counts().total() == 0);
}

TEST_CASE("a batch is all or nothing") {
  Queue q;
  std::vector<Task> batch{task_for("a1", "t1"), task_for("a1", "t2"), task_for("ghost", "t3")};
  CHECK_FALSE(q.schedule(batch));
  CHECK(q.counts().total() == 0);
  batch[2].agent = "a1";
  CHECK(ok(q.schedule(batch)).size() == 3);
  CHECK(q.pending() == std::vector<std::string>{"t1", "t2", "t3"});
}

TEST_CASE("an empty batch is no mistake") {
  Queue q;
  CHECK(ok(q.schedule(std::vector<Task>{})).empty());
}

TEST_CASE("more urgent tasks are claimed first") {
  Queue q;
  ok(q.schedule(task_for("a1", "l", {}, Priority::low)));
  ok(q.schedule(task_for("a1", "c", {}, Priority::critical)));
  ok(q.schedule(task_for("a1", "n", {}, Priority::normal)));
  ok(q.schedule(task_for("a1", "h", {}, Priority::high)));
  for (const char* expected : {"c", "h", "n", "l", ""}) CHECK(q.claimed_id() == expected);
}

TEST_CASE("inside a priority the first in is the first out, at one time stamp too") {
  Queue q;
  std::vector<Task> batch;
  for (int i = 0; i < 8; ++i) batch.push_back(task_for("a1", "t" + std::to_string(i)));
  ok(q.schedule(batch));
  ok(q.schedule(task_for("a1", "t8")));
  for (int i = 0; i < 9; ++i) CHECK(q.claimed_id() == "t" + std::to_string(i));
}

TEST_CASE("an agent claims its own tasks only") {
  Queue q({"a1", "a2"});
  ok(q.schedule(task_for("a2", "t1")));
  CHECK(q.claimed_id("a1").empty());
  CHECK(q.claimed_id("a2") == "t1");
}

TEST_CASE("the same id with the same content is the same task") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  q.pass(Duration::seconds(5));
  std::vector<Scheduled> again = ok(q.schedule(task_for("a1", "t1")));
  CHECK(again[0].existed);
  CHECK(q.counts().total() == 1);
  // Also when it has run meanwhile: it is not run again.
  q.finish(*q.claim());
  again = ok(q.schedule(task_for("a1", "t1")));
  CHECK(again[0].existed);
  CHECK(again[0].task.state == TaskState::completed);
  CHECK_FALSE(q.claim());
}

TEST_CASE("the same id with other content is refused") {
  Queue q({"a1", "a2"});
  ok(q.schedule(task_for("a1", "t1")));
  auto refused = [&](auto change) {
    Task other = task_for("a1", "t1");
    change(other);
    Result<std::vector<Scheduled>> done = q.schedule(other);
    CHECK(refusal(done) == "task t1 already exists with other content");
    CHECK(q.counts().total() == 1);
  };
  refused([](Task& t) { t.agent = "a2"; });
  refused([](Task& t) { t.type = "y"; });
  refused([](Task& t) { t.payload = R"({"n":1})"; });
  refused([](Task& t) { t.priority = Priority::low; });
  refused([](Task& t) { t.metadata = {{"k", "v"}}; });
  refused([](Task& t) { t.depends_on = {"t0"}; });
  refused([](Task& t) { t.timeout = Duration::seconds(1); });
}

TEST_CASE("one id twice in a batch") {
  Queue q;
  std::vector<Task> batch{task_for("a1", "t1"), task_for("a1", "t1")};
  std::vector<Scheduled> done = ok(q.schedule(batch));
  CHECK_FALSE(done[0].existed);
  CHECK(done[1].existed);
  CHECK(q.counts().total() == 1);
  batch = {task_for("a1", "t2"), task_for("a1", "t2")};
  batch[1].type = "other";
  CHECK(refusal(q.schedule(batch)) == "task t2 already exists with other content");
  CHECK(q.counts().total() == 1);
}

TEST_CASE("a repeated batch after the end of its agent finds its tasks") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  q.cancel_all();
  ok(q.in_txn([](AgentScheduler&, store::WriteTxn& txn) { return txn.remove_agent("a1"); }));
  CHECK(ok(q.schedule(task_for("a1", "t1")))[0].existed);
  CHECK(refusal(q.schedule(task_for("a1", "t2"))) == "agent a1 not found");
}

TEST_CASE("status of an unknown task") {
  Queue q;
  auto status =
      q.in_txn([](AgentScheduler& s, store::WriteTxn&) { return s.get_status("nothing"); });
  CHECK(refusal(status) == "task nothing not found");
  CHECK(status.error().code == ErrorCode::not_found);
}

TEST_CASE("pending tasks are listed in order of submission, at most so many") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1", {}, Priority::low)));
  ok(q.schedule(task_for("a1", "t2", {"t1"}, Priority::critical)));
  ok(q.schedule(task_for("a1", "t3", {}, Priority::high)));
  CHECK(q.pending() == std::vector<std::string>{"t1", "t2", "t3"});
  CHECK(q.pending("a1", 2) == std::vector<std::string>{"t1", "t2"});
  // t1 is as urgent as what waits for it.
  CHECK(q.claim()->id == "t1");
  CHECK(q.pending() == std::vector<std::string>{"t2", "t3"});
}
