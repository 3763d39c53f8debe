// SPDX-License-Identifier: Apache-2.0
// Tasks that wait for others.
#include <algorithm>

#include "scheduler/dependencies.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

std::vector<Task> chain(size_t length) {
  std::vector<Task> tasks;
  tasks.reserve(length);
  for (size_t i = 0; i < length; ++i) {
    tasks.push_back(task_for("a1", "t" + std::to_string(i)));
    if (i > 0) tasks.back().depends_on = {"t" + std::to_string(i - 1)};
  }
  return tasks;
}

}  // namespace

TEST_CASE("a task waits until what it depends on has completed") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  ok(q.schedule(task_for("a1", "t2", {"t1"}, Priority::critical)));
  Task waiting = q.get("t2");
  CHECK(waiting.state == TaskState::pending);
  CHECK(waiting.reason == Reason::dependency);
  CHECK(waiting.waiting_on == 1);
  std::optional<Task> first = q.claim();
  REQUIRE(first->id == "t1");
  CHECK_FALSE(q.claim());
  q.finish(*first);
  CHECK(q.get("t2").reason == Reason::queued);
  CHECK(q.get("t2").waiting_on == 0);
  CHECK(q.claimed_id() == "t2");
}

TEST_CASE("a dependency that completed before is satisfied") {
  Queue q;
  ok(q.schedule(task_for("a1", "a")));
  q.finish(*q.claim());
  ok(q.schedule(task_for("a1", "b")));
  ok(q.schedule(task_for("a1", "c", {"a", "b"})));
  CHECK(q.get("c").waiting_on == 1);
  q.finish(*q.claim());
  CHECK(q.claimed_id() == "c");
  ok(q.schedule(task_for("a1", "d", {"a", "b"})));
  CHECK(q.get("d").reason == Reason::queued);
}

TEST_CASE("the end of a dependency wakes the other agent that waits") {
  Queue q({"a1", "a2"});
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a2", "t2", {"t1"})}));
  q.finish(*q.claim());
  CHECK(q.claimed_id("a2") == "t2");
}

TEST_CASE("an unknown dependency is refused, with a name") {
  Queue q;
  Result<std::vector<Scheduled>> done = q.schedule(task_for("a1", "t1", {"nonexistent"}));
  CHECK(refusal(done) == "dependency nonexistent of task t1 not found");
  CHECK(done.error().code == ErrorCode::not_found);
  CHECK(q.counts().total() == 0);
}

TEST_CASE("after a failed dependency a new task fails at once") {
  Queue q;
  ok(q.schedule(task_for("a1", "a")));
  q.finish(*q.claim(), failed_with(3));
  std::vector<Scheduled> done = ok(q.schedule(task_for("a1", "b", {"a"})));
  CHECK(done[0].task.state == TaskState::failed);
  Task b = q.get("b");
  CHECK(b.state == TaskState::failed);
  CHECK(b.reason == Reason::dependency);
  CHECK(b.detail == "dependency a failed");
  CHECK(b.finished_at == q.now);
  CHECK(q.pending().empty());
  // and so do those of one batch that depend on it
  ok(q.schedule(std::vector<Task>{task_for("a1", "d", {"c"}), task_for("a1", "c", {"b"})}));
  CHECK(q.get("d").state == TaskState::failed);
  CHECK(q.get("d").detail == "dependency a failed");
}

TEST_CASE("a timed out dependency fails, a cancelled one cancels") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "a"), task_for("a1", "a2", {"a"})}));
  Outcome late;
  late.state = TaskState::timed_out;
  late.reason = Reason::timeout;
  q.finish(*q.claim(), late);
  CHECK(q.get("a2").state == TaskState::failed);
  CHECK(q.get("a2").detail == "dependency a timed_out");
  ok(q.schedule(std::vector<Task>{task_for("a1", "b"), task_for("a1", "b2", {"b"})}));
  ok(q.cancel("b"));
  CHECK(q.get("b2").state == TaskState::cancelled);
  CHECK(q.get("b2").detail == "dependency b cancelled");
  ok(q.schedule(task_for("a1", "b3", {"b2"})));
  CHECK(q.get("b3").state == TaskState::cancelled);
  CHECK(q.get("b3").detail == "dependency b cancelled");
}

TEST_CASE("one failed dependency of several decides for ever") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "a"), task_for("a1", "b"),
                                  task_for("a1", "c", {"a", "b"})}));
  std::optional<Task> a = q.claim();
  std::optional<Task> b = q.claim();
  q.finish(*a, failed_with(1));
  CHECK(q.get("c").state == TaskState::failed);
  q.finish(*b);
  CHECK(q.get("c").state == TaskState::failed);
  CHECK_FALSE(q.claim());
  require_clean(q.store());
}

TEST_CASE("tasks of a batch may name each other in any order") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "c", {"b", "a"}), task_for("a1", "b", {"a"}),
                                  task_for("a1", "a")}));
  for (const char* expected : {"a", "b", "c"}) {
    std::optional<Task> task = q.claim();
    REQUIRE(task);
    CHECK(task->id == expected);
    CHECK_FALSE(q.claim());
    q.finish(*task);
  }
}

TEST_CASE("a dependency named twice counts once") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "a"), task_for("a1", "b", {"a", "a"})}));
  CHECK(q.get("b").waiting_on == 1);
  q.finish(*q.claim());
  CHECK(q.claimed_id() == "b");
}

TEST_CASE("a cycle is printed and nothing is queued") {
  Queue q;
  Result<std::vector<Scheduled>> done =
      q.schedule(std::vector<Task>{task_for("a1", "x"), task_for("a1", "a", {"b"}),
                                   task_for("a1", "b", {"c", "x"}), task_for("a1", "c", {"a"})});
  CHECK(refusal(done) == "dependency cycle: a -> b -> c -> a");
  CHECK(done.error().code == ErrorCode::usage);
  CHECK(q.counts().total() == 0);
  CHECK(refusal(q.schedule(task_for("a1", "s", {"s"}))) == "dependency cycle: s -> s");
}

TEST_CASE("without dependencies the order is that of submission") {
  std::vector<Task> tasks{task_for("a1", "c"), task_for("a1", "a"), task_for("a1", "b")};
  CHECK(ok(order_by_dependency(tasks)) == std::vector<size_t>{0, 1, 2});
  tasks[0].depends_on = {"b"};
  CHECK(ok(order_by_dependency(tasks)) == std::vector<size_t>{2, 0, 1});
  tasks[0].depends_on = {"not in the batch"};
  CHECK(ok(order_by_dependency(tasks)) == std::vector<size_t>{0, 1, 2});
}

TEST_CASE("the end of a chain of 100,000, submitted from its end, reaches the last link") {
  constexpr size_t k_length = 100000;
  Queue q;
  std::vector<Task> tasks = chain(k_length);
  std::reverse(tasks.begin(), tasks.end());
  ok(q.schedule(std::move(tasks)));
  q.finish(*q.claim(), failed_with(1));
  Task last = q.get("t" + std::to_string(k_length - 1));
  CHECK(last.state == TaskState::failed);
  CHECK(last.detail == "dependency t0 failed");
  CHECK(q.counts().failed == k_length);
  CHECK(q.counts().pending == 0);
  require_clean(q.store());
}

TEST_CASE("cancelling the head of a chain of 20,000 names them all") {
  constexpr size_t k_length = 20000;
  Queue q;
  ok(q.schedule(chain(k_length)));
  AgentScheduler::Cancelled done = ok(q.cancel("t0"));
  CHECK(done.dependents.size() == k_length - 1);
  CHECK(q.counts().cancelled == k_length);
}

TEST_CASE("a circle of 100,000 is found") {
  std::vector<Task> tasks = chain(100000);
  tasks[0].depends_on = {tasks.back().id};
  CHECK_THAT(refusal(order_by_dependency(tasks)),
             Catch::StartsWith("dependency cycle: t0 -> t99999 -> t99998"));
}

TEST_CASE("many that wait for one: the fan and the diamond") {
  Queue q;
  std::vector<Task> tasks{task_for("a1", "root")};
  std::vector<std::string> middle;
  for (int i = 0; i < 100; ++i) {
    middle.push_back("m" + std::to_string(i));
    tasks.push_back(task_for("a1", middle.back(), {"root"}));
  }
  tasks.push_back(task_for("a1", "end", middle));
  ok(q.schedule(tasks));
  CHECK(q.get("end").waiting_on == 100);
  q.finish(*q.claim());
  CHECK(q.counts().pending == 101);
  for (int i = 0; i < 100; ++i) {
    std::optional<Task> task = q.claim();
    REQUIRE(task);
    REQUIRE(task->id == middle[static_cast<size_t>(i)]);
    q.finish(*task);
  }
  CHECK(q.claimed_id() == "end");
  require_clean(q.store());
}

TEST_CASE("a long cycle is told by its ends") {
  Queue q;
  std::vector<Task> ring;
  for (int i = 0; i < 1000; ++i)
    ring.push_back(task_for("a1", "t" + std::to_string(i), {"t" + std::to_string((i + 1) % 1000)}));
  const std::string said = refusal(q.schedule(ring));
  CHECK_THAT(said, Catch::StartsWith("dependency cycle: t0 -> t1 -> ") &&
                       Catch::Contains("t9 -> (980 more) -> t990") && Catch::EndsWith("-> t0"));
  CHECK(said.size() < 300);
}
