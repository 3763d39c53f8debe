// SPDX-License-Identifier: Apache-2.0
// Cancelling by filter.
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

std::vector<std::string> cancelled(Queue& q, const store::TaskFilter& filter,
                                   bool dry_run = false) {
  std::vector<std::string> ids;
  for (const auto& c : ok(q.in_txn(
           [&](AgentScheduler&s, store::WriteTxn&) { return s.cancel_matching(filter, dry_run); })))
    ids.push_back(c.task.id);
  return ids;
}
using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("what matches and has not ended is cancelled, newest first, pending before running") {
  Queue q({"a1", "a2"});
  std::vector<Task> tasks;
  for (const char* id : {"t1", "t2", "t3", "t4"}) tasks.push_back(task_for("a1", id));
  tasks[2].type = "x";
  tasks[3].metadata = {{"k", "v"}, {"other", "1"}};
  tasks[3].group = "g";
  tasks.push_back(task_for("a2", "t5"));
  ok(q.schedule(tasks));
  q.finish(*q.claim());
  REQUIRE(q.claimed_id() == "t2");
  store::TaskFilter filter;
  filter.limit = 0;
  SECTION("of an agent") {
    filter.agent = "a1";
    CHECK(cancelled(q, filter, true) == Ids{"t4", "t3", "t2"});
    CHECK(q.counts().cancelled == 0);
    CHECK(q.get("t2").reason == Reason::none);
    CHECK(cancelled(q, filter) == Ids{"t4", "t3", "t2"});
    CHECK(q.get("t2").state == TaskState::running);  // asked to stop
    CHECK(q.get("t2").reason == Reason::user);
    CHECK(q.get("t5").state == TaskState::pending);
  }
  SECTION("of a state") {
    filter.state = TaskState::running;
    CHECK(cancelled(q, filter) == Ids{"t2"});
  }
  SECTION("of a state that has ended") {
    filter.state = TaskState::completed;
    CHECK(cancelled(q, filter).empty());
  }
  SECTION("of a type") {
    filter.type = "x";
    CHECK(cancelled(q, filter) == Ids{"t3"});
  }
  SECTION("of metadata and group") {
    filter.metadata = {{"k", "v"}};
    filter.group = "g";
    CHECK(cancelled(q, filter) == Ids{"t4"});
    filter.metadata = {{"k", "w"}};
    CHECK(cancelled(q, filter).empty());
  }
  SECTION("page by page") {
    std::vector<Task> many;
    for (int i = 0; i < 200; ++i) many.push_back(task_for("a2", "m" + std::to_string(i)));
    ok(q.schedule(many));
    filter.agent = "a2";
    filter.limit = 150;
    CHECK(cancelled(q, filter, true).size() == 150);
    filter.before = q.get("m50").sequence;  // m199 to m50 were the first page
    CHECK(cancelled(q, filter).size() == 51);
    CHECK(q.get("m49").state == TaskState::cancelled);
    CHECK(q.get("m50").state == TaskState::pending);
    filter.before = 0;
    CHECK(cancelled(q, filter).size() == 150);
  }
  require_clean(q.store());
}

TEST_CASE("dependents that do not match go with what they need") {
  Queue q({"a1", "a2"});
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "t2", {"t1"}),
                                  task_for("a2", "t3", {"t2"})}));
  store::TaskFilter filter;
  filter.agent = "a1";
  filter.limit = 0;
  CHECK(cancelled(q, filter) == Ids{"t2", "t1"});
  CHECK(q.get("t3").state == TaskState::cancelled);
  CHECK(q.get("t3").detail == "dependency t2 cancelled");
}
