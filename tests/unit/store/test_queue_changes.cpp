// SPDX-License-Identifier: Apache-2.0
// What transactions say that they changed in the queues: to who mirrors them in memory.
#include <map>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

constexpr Lane k_lane{1, 1, Priority::normal, 0};

int64_t ready(const QueueChanges& changes, const Lane& lane = k_lane) {
  for (const auto& [of, change] : changes.ready)
    if (of == lane) return change;
  return 0;
}
void set_state(WriteTxn& txn, const std::string& id, TaskState state, uint64_t attempt_id) {
  Task task = *ok(txn.find_task(id));
  task.state = state;
  task.attempt_id = attempt_id;
  if (is_terminal(state)) task.finished_at.us = 5;
  ok(txn.save_task(task));
}

}  // namespace

TEST_CASE("changes are summed up, told once, and empty when they cancel each other") {
  TempDir dir(k_memory);
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  for (const char* id : {"t1", "t2", "t3"}) add_task(txn, task_of("a", id));
  const uint64_t attempt = ok(txn.next_unique());
  set_state(txn, "t1", TaskState::running, attempt);
  CHECK(ready(txn.take_queue_changes()) == 2);
  QueueChanges changes = txn.take_queue_changes();
  CHECK(changes.ready.empty());
  CHECK(changes.ended.empty());
  set_state(txn, "t1", TaskState::completed, attempt);
  set_state(txn, "t2", TaskState::cancelled, 0);
  add_task(txn, task_of("a", "t4"));
  changes = txn.take_queue_changes();
  CHECK(changes.ready.empty());
  CHECK(changes.ended == std::vector<uint64_t>{attempt});
}

TEST_CASE("what a dropped transaction inside another changed is not told") {
  TempDir dir(k_memory);
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  add_task(txn, task_of("a", "t1"));
  const uint64_t attempt = ok(txn.next_unique());
  {
    WriteTxn inner = ok(txn.nested());
    set_state(inner, "t1", TaskState::running, attempt);
    {
      WriteTxn innermost = ok(inner.nested());
      set_state(innermost, "t1", TaskState::completed, attempt);
      ok(innermost.commit());
    }
    add_task(inner, task_of("a", "t2"));
  }
  QueueChanges changes = txn.take_queue_changes();
  CHECK(ready(changes) == 1);
  CHECK(changes.ended.empty());
  {
    WriteTxn inner = ok(txn.nested());
    {
      WriteTxn dropped = ok(inner.nested());
      add_task(dropped, task_of("a", "t3"));
    }
    add_task(inner, task_of("a", "t4"));
    ok(inner.commit());
  }
  CHECK(ready(txn.take_queue_changes()) == 1);
}

// The supervisor runs each call in a transaction inside that of the batch: one that claims must
// know what those before it did.
TEST_CASE("a transaction inside another hears also of what was changed around it") {
  TempDir dir(k_memory);
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  add_task(txn, task_of("a", "t1"));
  add_task(txn, task_of("a", "t2"));
  {
    WriteTxn inner = ok(txn.nested());
    set_state(inner, "t1", TaskState::cancelled, 0);
    CHECK(ready(inner.take_queue_changes()) == 1);
    ok(inner.commit());
  }
  CHECK(txn.take_queue_changes().ready.empty());  // and not again
}
