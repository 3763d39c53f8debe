// SPDX-License-Identifier: Apache-2.0
// Stores of released versions open for ever. They are made by
// make_fixture.cpp.
#include "tests/unit/store/fixture.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

constexpr int64_t k_start_us = 1764000000000000;

}  // namespace

TEST_CASE("the store of 0.1.0 opens and says what it said") {
  TempDir dir;
  copy_fixture(dir, "0.1.0");
  Store store = ok(Store::open(dir.store(), Store::Mode::write));
  require_clean(store);
  {
    const ReadTxn txn = ok(store.read());
    CHECK(ok(txn.list_tasks(filter())).size() == 8);
    const TaskCounts counts = ok(txn.counts());
    CHECK(counts.pending == 2);
    CHECK(counts.running == 1);
    CHECK(counts.completed == 1);
    CHECK(counts.failed == 1);
    CHECK(counts.cancelled == 2);
    CHECK(counts.timed_out == 1);

    const Task ready = *ok(txn.find_task("ready"));
    CHECK(ready.priority == Priority::high);
    CHECK(ready.metadata == Metadata{{"z", "1"}, {"a", "2"}});
    CHECK(ready.timeout == Duration::seconds(30));
    CHECK(ready.payload == R"({"id":"ready"})");
    CHECK(ready.user == "ann");
    CHECK(ready.correlation_id == "c-ready");
    CHECK(ready.created_at.us == k_start_us + 1000);
    CHECK(ok(next_ready(txn, 1)) == ready.sequence);
    const Task waiting = *ok(txn.find_task("waiting"));
    CHECK(waiting.depends_on == std::vector<std::string>{"ready"});
    CHECK(waiting.waiting_on == 1);
    CHECK(ok(txn.dependents(ready.sequence)) == std::vector<uint64_t>{waiting.sequence});
    const Task running = *ok(txn.find_task("running"));
    CHECK(running.payload == "\"" + std::string(3000, 'p') + "\"");
    CHECK(running.attempt == 2);
    CHECK(running.attempt_id == 1);
    CHECK(running.lost_attempts == 1);
    CHECK(ok(txn.running_tasks(3)) == std::vector<uint64_t>{running.sequence});

    const Task failed = *ok(txn.find_task("failed"));
    CHECK(failed.state == TaskState::failed);
    CHECK(failed.reason == Reason::exit);
    CHECK(failed.exit_code == 3);
    CHECK(failed.detail == "detail of failed");
    CHECK(failed.finished_at.us == k_start_us + 3005);
    CHECK(failed.cpu == Duration::millis(12));
    CHECK(failed.usage.output_tokens == 30);
    CHECK(ok(txn.find_result(failed.sequence))->head == std::string(100, 'o'));
    CHECK(!ok(txn.find_result(failed.sequence))->whole);
    CHECK(ok(txn.find_task("timed-out"))->signal == 15);
    CHECK(ok(txn.find_task("of-gone"))->reason == Reason::agent_gone);
    CHECK(ok(txn.counts(2)).cancelled == 1);
    CHECK(ok(txn.find_result(ok(txn.find_task("completed"))->sequence))->whole);
    CHECK(ok(txn.finished_tasks({k_start_us * 2}, 10)).size() == 5);

    CHECK(ok(txn.list_agents()).size() == 2);
    CHECK(!ok(txn.find_agent("gone")));
    const Agent writer = *ok(txn.find_agent("writer"));
    CHECK(writer.number == 3);
    CHECK(writer.definition.kind == AgentKind::worker);
    CHECK(writer.definition.isolation == IsolationLevel::container);
    CHECK(writer.definition.limits == Limits{uint64_t{256} << 20, 500, 64});
    CHECK(writer.definition.env == Metadata{{"LANG", "C"}});
    CHECK(writer.state == AgentState::ready);
    CHECK(writer.cgroup == "/fabric/writer");
    CHECK(ok(txn.supervisor()).version == "0.1.0");
  }
  // And it goes on.
  WriteTxn txn = ok(store.write());
  Agent agent = agent_named("new");
  ok(txn.save_agent(agent));
  CHECK(agent.number == 4);
  CHECK(add_task(txn, task_of("new", "next")) == 9);
  CHECK(ok(txn.next_unique()) == 7);
  ok(txn.commit());
  require_clean(store);
}

TEST_CASE("the store of 0.2.0 opens and says what it said") {
  TempDir dir;
  copy_fixture(dir, "0.2.0");
  Store store = ok(Store::open(dir.store(), Store::Mode::write));
  require_clean(store);
  const ReadTxn txn = ok(store.read());
  CHECK(ok(txn.list_tasks(filter())).size() == 15);
  CHECK(ok(txn.supervisor()).version == "0.2.0");
  const Agent person = *ok(txn.find_agent("person"));
  CHECK(person.definition.kind == AgentKind::external);
  CHECK(person.definition.pool == "people");
  CHECK(person.definition.max_queue_depth == 7);

  const Task later = *ok(txn.find_task("later"));
  CHECK(later.start_at.us == k_start_us + 9000);
  CHECK(later.deadline.us == k_start_us + 9900);
  CHECK(later.queue_ttl == Duration::seconds(60));
  CHECK(later.no_progress_timeout == Duration::seconds(5));
  CHECK(later.reason == Reason::not_before);
  const Task leased = *ok(txn.find_task("leased"));
  CHECK(leased.lease_until.us == k_start_us + 8000);
  CHECK(ok(txn.next_timer())->us == k_start_us + 8000);
  CHECK(ok(txn.due_timers({k_start_us + 9000}, 10)) ==
        std::vector<uint64_t>{leased.sequence, later.sequence});
  const Task waiter = *ok(txn.find_task("waiter"));
  CHECK(ok(txn.group_tasks("night")) == std::vector<uint64_t>{later.sequence, waiter.sequence});
  CHECK(ok(txn.exclusive_holder("db")) == ok(txn.find_task("holder"))->sequence);
  CHECK(ok(txn.next_exclusive_waiter("db")) == waiter.sequence);

  const Task routed = *ok(txn.find_task("routed"));
  CHECK(routed.require == Requirements{{"tool", "browser"}});
  CHECK(routed.slots == Slots{{"gpu", 1}});
  CHECK(routed.share == "team");
  CHECK(routed.lane.level == Priority::critical);
  CHECK(ok(txn.find_number(NameKind::route, "tool=browser")) == routed.lane.queue);
  CHECK(ok(txn.lane_head(routed.lane)) == routed.sequence);
  CHECK(ok(txn.counts(routed.lane.queue)).pending == 1);

  const Task dead = *ok(txn.find_task("dead"));
  CHECK(dead.retry ==
        RetryPolicy{1, {true, Duration::seconds(1), Duration::seconds(8)}, {"failed", "exit:3"}});
  CHECK(dead.retried_as == "again");
  CHECK(ok(txn.dead_tasks()) == std::vector<uint64_t>{dead.sequence});
  const std::vector<Attempt> attempts = ok(txn.attempts(dead.sequence));
  REQUIRE(attempts.size() == 2);
  CHECK(attempts[0].exit_code == 3);
  CHECK(!attempts[0].late);
  CHECK(attempts[1].late);
  const Task any = *ok(txn.find_task("any"));
  CHECK(any.after == AfterPolicy::any);
  CHECK(any.retry_of == "dead");
  CHECK(ok(txn.is_pinned(ok(txn.find_task("completed"))->sequence)));

  const std::vector<Event> events = ok(txn.events(0, 10));
  REQUIRE(events.size() == 2);
  CHECK(events[1].kind == EventKind::task_started);
  CHECK(events[1].attempt == 1);
  const std::vector<Share> shares = ok(txn.shares());
  REQUIRE(shares.size() == 2);
  CHECK(shares[1].name == "team");
  CHECK(shares[1].times == ShareTimes{2.5, {1, 2, 3, 4}});
  const Recurring nightly = *ok(txn.find_recurring("nightly"));
  CHECK(nightly.missed == MissedRuns::once);
  CHECK(nightly.due.us == k_start_us + 10000);
  CHECK(nightly.runs == 3);
  REQUIRE(ok(txn.pauses()).size() == 1);
  CHECK(describe(ok(txn.pauses())[0]) == "agent coder");
}
