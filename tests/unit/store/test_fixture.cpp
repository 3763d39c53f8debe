// SPDX-License-Identifier: Apache-2.0
// Stores of released versions open for ever. They are made by
// make_fixture.cpp.
#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

constexpr int64_t k_start_us = 1764000000000000;

void copy_fixture(const TempDir& dir, const std::string& version) {
  std::filesystem::create_directory(dir.store());
  std::filesystem::permissions(dir.store(), std::filesystem::perms{0700});
  std::filesystem::copy_file(
      std::string(FABRIC_TEST_DATA) + "/fixtures/store-" + version + "/data.mdb",
      dir.store() + "/data.mdb");
}

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
