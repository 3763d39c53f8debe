// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

TEST_CASE("what was committed is there after reopening") {
  TempDir dir;
  uint64_t sequence = 0;
  {
    Store store = create(dir);
    add_agent(store, "coder");
    WriteTxn txn = ok(store.write());
    Task task = task_of("coder", "t1");
    task.metadata = {{"z", "1"}, {"a", "2"}};
    task.exit_code = 3;
    ok(txn.add_task(task, {}));
    sequence = task.sequence;
    CHECK(sequence == 1);
    ok(txn.commit());
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::read));
  ReadTxn txn = ok(store.read());
  const auto task = ok(txn.find_task("t1"));
  REQUIRE(task);
  CHECK(task->sequence == sequence);
  CHECK(task->metadata == Metadata{{"z", "1"}, {"a", "2"}});
  CHECK(task->exit_code == 3);
  CHECK(!task->signal);
  CHECK(ok(txn.counts()).pending == 1);
  CHECK(ok(next_ready(txn, 1)) == sequence);
  CHECK(!ok(txn.find_task("t2")));
  CHECK(!ok(txn.find_task(uint64_t{99})));
  CHECK(!ok(txn.find_task("")));
  CHECK(!ok(txn.find_task(std::string(600, 'x'))));
  CHECK(!store.write());
  require_clean(store);
}

TEST_CASE("a transaction that is not committed leaves nothing") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "coder");
  {
    WriteTxn txn = ok(store.write());
    add_task(txn, task_of("coder", "t1"));
    CHECK(ok(txn.counts()).pending == 1);
    CHECK(ok(txn.next_unique()) == 1);
  }
  WriteTxn txn = ok(store.write());
  CHECK(!ok(txn.find_task("t1")));
  CHECK(ok(txn.counts()).pending == 0);
  CHECK(ok(txn.next_unique()) == 1);
  CHECK(add_task(txn, task_of("coder", "t2")) == 1);
}

TEST_CASE("a transaction inside another merges or vanishes, counters and sequence with it") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "coder");
  WriteTxn txn = ok(store.write());
  add_task(txn, task_of("coder", "outer"));
  {
    WriteTxn inner = ok(txn.nested());
    CHECK(ok(inner.counts()).pending == 1);
    CHECK(add_task(inner, task_of("coder", "gone")) == 2);
    Agent agent = agent_named("gone-agent");
    ok(inner.save_agent(agent));
    CHECK(agent.number == 2);
    CHECK(ok(inner.counts()).pending == 2);
    CHECK(!txn.counts());  // the outer one must not be used meanwhile
  }
  CHECK(ok(txn.counts()).pending == 1);
  {
    WriteTxn inner = ok(txn.nested());
    {
      WriteTxn innermost = ok(inner.nested());
      CHECK(add_task(innermost, task_of("coder", "kept")) == 2);
      ok(innermost.commit());
      CHECK(!innermost.commit());
    }
    ok(inner.commit());
  }
  CHECK(ok(txn.counts()).pending == 2);
  Agent agent = agent_named("second");
  ok(txn.save_agent(agent));
  CHECK(agent.number == 2);
  ok(txn.commit());
  CHECK(!txn.commit());
  CHECK(!txn.counts());
  ReadTxn reader = ok(store.read());
  CHECK(ok(reader.find_task("kept")));
  CHECK(!ok(reader.find_task("gone")));
  CHECK(!ok(reader.find_agent("gone-agent")));
  require_clean(store);
}

TEST_CASE("the inner transaction survives the end of the outer one as an error, not a crash") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "coder");
  auto outer = std::make_unique<WriteTxn>(ok(store.write()));
  WriteTxn inner = ok(outer->nested());
  WriteTxn innermost = ok(inner.nested());
  outer.reset();
  CHECK(!inner.counts());
  CHECK(!inner.commit());
  CHECK(!innermost.commit());
  ok(store.write());  // the lock is free
}

TEST_CASE("ids are used once, agents must exist") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "coder");
  WriteTxn txn = ok(store.write());
  add_task(txn, task_of("coder", "t1"));
  Task again = task_of("coder", "t1");
  const Status twice = txn.add_task(again, {});
  REQUIRE(!twice);
  CHECK(twice.error().message == "task 't1' already exists");
  Task stray = task_of("nobody", "t2");
  const Status lost = txn.add_task(stray, {});
  REQUIRE(!lost);
  CHECK(lost.error().code == ErrorCode::not_found);
  Task odd = task_of("coder", "../x");
  CHECK(!txn.add_task(odd, {}));
  CHECK(add_task(txn, task_of("coder", "t3")) == 2);
  ok(txn.commit());
  require_clean(store);
}

TEST_CASE("one thread writes once at a time") {
  TempDir dir;
  Store store = create(dir);
  WriteTxn txn = ok(store.write());
  CHECK(!store.write());
  bool wrote = false;
  std::thread other([&] { wrote = store.write().has_value(); });
  ok(txn.commit());
  other.join();
  CHECK(wrote);
}

TEST_CASE("a long payload is kept apart, and stays while the task changes") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "coder");
  const std::string payload = "\"" + std::string(k_max_payload - 2, 'p') + "\"";
  WriteTxn txn = ok(store.write());
  Task task = task_of("coder", "t1");
  task.payload = payload;
  ok(txn.add_task(task, {}));
  task.state = TaskState::running;
  ok(txn.save_task(task));
  ok(txn.commit());
  {
    ReadTxn reader = ok(store.read());
    CHECK(ok(reader.find_task("t1"))->payload == payload);
    CHECK(ok(reader.list_tasks({})).at(0).payload == payload);
  }
  require_clean(store);
  WriteTxn second = ok(store.write());
  task.state = TaskState::completed;
  task.finished_at.us = 5;
  ok(second.save_task(task));
  ok(second.remove_task(task.sequence));
  ok(second.commit());
  require_clean(store);
  for (const auto& table : ok(store.stat()).tables)
    if (table.name == "payloads") CHECK(table.entries == 0);
}

TEST_CASE("a commit rings the bell") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "coder");
  CHECK(std::filesystem::file_size(store.bell_path()) == 8);
  std::filesystem::remove(store.bell_path());
  add_agent(store, "second");  // a commit does not care
}
