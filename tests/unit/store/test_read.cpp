// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

std::vector<std::string> ids(const std::vector<Task>& tasks) {
  std::vector<std::string> out;
  for (const Task& task : tasks) out.push_back(task.id);
  return out;
}

void move_to(WriteTxn& txn, uint64_t sequence, TaskState state) {
  Task task = *ok(txn.find_task(sequence));
  task.state = state;
  if (is_terminal(state)) task.finished_at.us = static_cast<int64_t>(1000 + sequence);
  ok(txn.save_task(task));
}

}  // namespace

TEST_CASE("ready tasks come most urgent first, first in first out inside") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "a");
  add_agent(store, "b");
  WriteTxn txn = ok(store.write());
  auto add = [&](const std::string& agent, const std::string& id, Priority priority) {
    Task task = task_of(agent, id);
    task.priority = priority;
    return add_task(txn, task);
  };
  const uint64_t low = add("a", "low", Priority::low);
  const uint64_t normal1 = add("a", "normal1", Priority::normal);
  const uint64_t other = add("b", "other", Priority::critical);
  const uint64_t normal2 = add("a", "normal2", Priority::normal);
  const uint64_t urgent = add("a", "urgent", Priority::critical);
  const uint64_t waiting = add_task(txn, task_of("a", "waiting"), {low});
  std::vector<uint64_t> order;
  while (auto next = ok(next_ready(txn, 1))) {
    order.push_back(*next);
    move_to(txn, *next, TaskState::running);
  }
  CHECK(order == std::vector<uint64_t>{urgent, normal1, normal2, low});
  CHECK(ok(next_ready(txn, 2)) == other);
  CHECK(!ok(next_ready(txn, 3)));
  CHECK(ok(txn.pending_tasks(1, 10)) == std::vector<uint64_t>{waiting});
  CHECK(ok(txn.running_tasks()) == std::vector<uint64_t>{low, normal1, normal2, urgent});
  CHECK(ok(txn.running_tasks(1)).size() == 4);
  CHECK(ok(txn.running_tasks(2)).empty());
  CHECK(ok(txn.dependents(low)) == std::vector<uint64_t>{waiting});
}

TEST_CASE("pending tasks come in order of submission, whatever their level") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  std::vector<uint64_t> all;
  for (int i = 0; i < 20; ++i) {
    Task task = task_of("a", "t" + std::to_string(i));
    task.priority = static_cast<Priority>(i % 4);
    all.push_back(add_task(txn, task, i % 5 == 4 ? std::vector{all[0]} : std::vector<uint64_t>{}));
  }
  CHECK(ok(txn.pending_tasks(1, 100)) == all);
  CHECK(ok(txn.pending_tasks(1, 7)) == std::vector<uint64_t>(all.begin(), all.begin() + 7));
  CHECK(ok(txn.pending_tasks(1, 0)).empty());
  CHECK(ok(txn.dependents(all[0])).size() == 4);
}

TEST_CASE("an edge goes, and the task becomes ready when it waits for nothing") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  const uint64_t first = add_task(txn, task_of("a", "first"));
  Task task = task_of("a", "second");
  ok(txn.add_task(task, {first, first}));
  CHECK(task.waiting_on == 1);
  move_to(txn, first, TaskState::completed);
  ok(txn.remove_edge(first, task.sequence));
  CHECK(ok(txn.dependents(first)).empty());
  CHECK(!ok(next_ready(txn, 1)));
  task.waiting_on = 0;
  task.reason = Reason::queued;
  ok(txn.save_task(task));
  CHECK(ok(next_ready(txn, 1)) == task.sequence);
  ok(txn.commit());
  require_clean(store);
}

TEST_CASE("lists are newest first and filtered") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "a");
  add_agent(store, "b");
  WriteTxn txn = ok(store.write());
  for (int i = 1; i <= 9; ++i) {
    Task task = task_of(i % 3 == 0 ? "b" : "a", "t" + std::to_string(i));
    task.type = i % 2 == 0 ? "even" : "odd";
    add_task(txn, task);
  }
  move_to(txn, 2, TaskState::running);
  move_to(txn, 3, TaskState::running);
  move_to(txn, 5, TaskState::failed);
  using Ids = std::vector<std::string>;
  CHECK(ids(ok(txn.list_tasks(filter({}, "", "", 3)))) == Ids{"t9", "t8", "t7"});
  CHECK(ok(txn.list_tasks(filter())).size() == 9);
  CHECK(ids(ok(txn.list_tasks(filter({}, "b", "", 50)))) == Ids{"t9", "t6", "t3"});
  CHECK(ids(ok(txn.list_tasks(filter(TaskState::running, "", "", 50)))) == Ids{"t3", "t2"});
  CHECK(ids(ok(txn.list_tasks(filter(TaskState::running, "a", "", 50)))) == Ids{"t2"});
  CHECK(ids(ok(txn.list_tasks(filter(TaskState::pending, "a", "even", 50)))) == Ids{"t8", "t4"});
  CHECK(ids(ok(txn.list_tasks(filter(TaskState::failed, "", "", 50)))) == Ids{"t5"});
}

TEST_CASE("ended tasks are listed by their end and can be removed, others cannot") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  for (int i = 1; i <= 4; ++i) add_task(txn, task_of("a", "t" + std::to_string(i)));
  add_task(txn, task_of("a", "last"), {1});
  move_to(txn, 3, TaskState::completed);
  move_to(txn, 2, TaskState::cancelled);
  ok(txn.save_result(3, {"out", true}));
  CHECK(ok(txn.finished_tasks({1003}, 10)) == std::vector<uint64_t>{2});
  CHECK(ok(txn.finished_tasks({2000}, 10)) == std::vector<uint64_t>{2, 3});
  CHECK(ok(txn.finished_tasks({2000}, 1)) == std::vector<uint64_t>{2});
  CHECK(!txn.remove_task(1));
  CHECK(!txn.remove_task(77));
  ok(txn.remove_task(3));
  CHECK(!ok(txn.find_task("t3")));
  CHECK(!ok(txn.find_result(3)));
  CHECK(ok(txn.counts()).completed == 0);
  // A dependent that gave up leaves its edge; it goes with the task.
  Task last = *ok(txn.find_task("last"));
  last.depends_on = {"t1"};
  last.state = TaskState::cancelled;
  last.finished_at.us = 7;
  ok(txn.save_task(last));
  ok(txn.remove_task(last.sequence));
  CHECK(ok(txn.dependents(1)).empty());
  ok(txn.commit());
  require_clean(store);
}

TEST_CASE("results are kept up to their limit") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  const uint64_t sequence = add_task(txn, task_of("a", "t"));
  CHECK(!ok(txn.find_result(sequence)));
  const std::string bytes("a\0\xff\n", 4);
  ok(txn.save_result(sequence, {bytes, true}));
  CHECK(ok(txn.find_result(sequence))->head == bytes);
  CHECK(ok(txn.find_result(sequence))->whole);
  ok(txn.save_result(sequence, {std::string(k_result_head + 1, 'x'), true}));
  CHECK(ok(txn.find_result(sequence))->head.size() == k_result_head);
  CHECK(!ok(txn.find_result(sequence))->whole);
  const Status lost = txn.save_result(99, {});
  REQUIRE(!lost);
  CHECK(lost.error().code == ErrorCode::not_found);
}

TEST_CASE("save refuses a task that is not the one it says") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  add_task(txn, task_of("a", "t"));
  Task other = task_of("a", "other");
  CHECK(!txn.save_task(other));
  other.sequence = 1;
  CHECK(!txn.save_task(other));
}
