// SPDX-License-Identifier: Apache-2.0
// What has ended goes by number and by age, what somebody will read stays.
#include "scheduler/retention.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

using Ids = std::vector<std::string>;

Collected collect(Queue& q, const RetentionRules& rules, size_t limit = 1000) {
  return ok(q.in_txn([&](AgentScheduler&, store::WriteTxn& txn) {
    return collect_garbage(txn, rules, q.now, limit);
  }));
}
RetentionRules keep(uint64_t tasks, Duration age = {}, uint64_t events = 0) {
  RetentionRules rules;
  rules.tasks = tasks;
  rules.age = age;
  rules.events = events;
  return rules;
}
// t0, t1, ...: one a second.
void run(Queue& q, int count) {
  for (int i = 0; i < count; ++i) {
    ok(q.schedule(task_for("a1", "t" + std::to_string(i))));
    q.finish(*q.claim());
    q.pass(Duration::seconds(1));
  }
}

}  // namespace

TEST_CASE("the oldest ends go first, by number and by age") {
  Queue q;
  run(q, 6);
  ok(q.schedule(task_for("a1", "pending")));
  CHECK(collect(q, keep(0)).tasks.empty());
  CHECK(collect(q, keep(4)).tasks == Ids{"t0", "t1"});
  CHECK(collect(q, keep(0, Duration::millis(2500))).tasks == Ids{"t2", "t3"});
  const Collected last = collect(q, keep(1), 1);
  CHECK(last.tasks == Ids{"t4"});
  REQUIRE(last.logs.size() == 1);
  CHECK(last.logs[0] == Collected::Logs{"a1", "t4", 1});
  CHECK(q.get("pending").state == TaskState::pending);
  require_clean(q.store());
}

TEST_CASE("a result that will be read stays, and does not stand before others") {
  Queue q({"a1", "a2"});
  run(q, 8);
  for (int i = 0; i < 3; ++i) {
    const std::string id = "t" + std::to_string(i);
    Task reader = task_for("a2", "reader" + std::to_string(i), {id});
    reader.payload = "\"{tasks." + id + ".result}\"";
    ok(q.schedule(reader));
  }
  // As many are pinned as one step looks at.
  CHECK(collect(q, keep(0, Duration::seconds(1)), 3).tasks == Ids{"t3", "t4", "t5"});
  CHECK(collect(q, keep(0, Duration::seconds(1)), 3).tasks == Ids{"t6"});
  CHECK(collect(q, keep(1), 3).tasks.empty());  // not the youngest in their place
  for (int i = 0; i < 3; ++i) q.finish(*q.claim("a2"));
  CHECK(collect(q, keep(3), 100).tasks == Ids{"t0", "t1", "t2", "t7"});
  require_clean(q.store());
}

TEST_CASE("events go by number") {
  Queue q;
  run(q, 5);  // three events each
  CHECK(collect(q, keep(0, {}, 4)).events == 11);
  const store::ReadTxn txn = ok(q.store().read());
  CHECK(ok(txn.first_event()) == 12);
  CHECK(ok(txn.last_event()) == 15);
}
