// SPDX-License-Identifier: Apache-2.0
// When a task with dependencies starts or fails: success, finish, any; the same whether its
// dependencies ended before it was scheduled or after.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

enum class When : uint8_t { live, before };

// A task that waits for t0, t1, ... which end so; each is of an agent of its own.
Task outcome_of(AfterPolicy policy, const std::vector<TaskState>& ends, When when) {
  std::vector<std::string> agents{"a1"}, ids;
  for (size_t i = 0; i < ends.size(); ++i) {
    agents.push_back("b" + std::to_string(i));
    ids.push_back("t" + std::to_string(i));
  }
  Queue q(agents);
  for (size_t i = 0; i < ends.size(); ++i) ok(q.schedule(task_for(agents[i + 1], ids[i])));
  Task task = task_for("a1", "waits", ids);
  task.after = policy;
  if (when == When::live) ok(q.schedule(task));
  for (size_t i = 0; i < ends.size(); ++i) {
    if (ends[i] == TaskState::pending) continue;
    if (ends[i] == TaskState::cancelled) {
      ok(q.cancel(ids[i]));
      continue;
    }
    Outcome outcome;
    outcome.state = ends[i];
    q.finish(*q.claim(agents[i + 1]), outcome);
  }
  if (when == When::before) ok(q.schedule(task));
  require_clean(q.store());
  return q.get("waits");
}

}  // namespace

TEST_CASE("policies decide the same live and at once") {
  using enum TaskState;
  struct Case {
    AfterPolicy policy;
    std::vector<TaskState> ends;
    TaskState state;
    Reason reason;
    const char* detail;
  };
  const std::vector<Case> cases{
      {AfterPolicy::success, {completed, completed}, pending, Reason::queued, ""},
      {AfterPolicy::success, {completed, pending}, pending, Reason::dependency, ""},
      {AfterPolicy::success, {pending, failed}, failed, Reason::dependency, "dependency t1 failed"},
      {AfterPolicy::success, {timed_out}, failed, Reason::dependency, "dependency t0 timed_out"},
      {AfterPolicy::success, {cancelled}, cancelled, Reason::dependency, "dependency t0 cancelled"},
      {AfterPolicy::finish, {failed, completed, cancelled}, pending, Reason::queued, ""},
      {AfterPolicy::finish, {failed, pending}, pending, Reason::dependency, ""},
      {AfterPolicy::any, {completed, pending}, pending, Reason::queued, ""},
      {AfterPolicy::any, {failed, completed}, pending, Reason::queued, ""},
      {AfterPolicy::any, {failed, pending}, pending, Reason::dependency, ""},
      {AfterPolicy::any, {failed}, failed, Reason::dependency, "dependency t0 failed"},
  };
  for (const Case& c : cases)
    for (const When when : {When::live, When::before}) {
      const Task task = outcome_of(c.policy, c.ends, when);
      INFO(to_string(c.policy) << " of " << c.ends.size() << ", "
                               << (when == When::live ? "live" : "at once"));
      CHECK(task.state == c.state);
      CHECK(task.reason == c.reason);
      CHECK(task.detail == c.detail);
      CHECK(task.finished_at.set() == is_terminal(c.state));
    }
}

TEST_CASE("a failure goes through a chain of policies and names the ancestor that failed") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "root"), task_for("a1", "t1", {"root"}),
                                  task_for("a1", "t2", {"t1"})}));
  Task finish = task_for("a1", "cleanup", {"t2"});
  finish.after = AfterPolicy::finish;
  Task any = task_for("a1", "any", {"t1", "t2"});
  any.after = AfterPolicy::any;
  ok(q.schedule(std::vector<Task>{finish, any, task_for("a1", "last", {"any"})}));
  q.finish(*q.claim(), failed_with(1));
  for (const char* id : {"t1", "t2", "any", "last"}) {
    CHECK(q.get(id).state == TaskState::failed);
    CHECK(q.get(id).detail == "dependency root failed");
  }
  CHECK(q.claimed_id() == "cleanup");
  ok(q.schedule(task_for("a1", "late", {"t2"})));  // also one that comes when all is over
  CHECK(q.get("late").detail == "dependency root failed");
  require_clean(q.store());
}
