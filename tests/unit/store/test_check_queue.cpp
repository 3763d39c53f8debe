// SPDX-License-Identifier: Apache-2.0
// Damage in the tables of the queue: check() names each kind, and nothing else.
#include <functional>

#include "store/records.pb.h"
#include "store/value.hpp"
#include "tests/unit/store/helpers.hpp"
#include "tests/unit/store/raw.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

using Problems = std::vector<std::string>;

Task queued(const std::string& id) {
  Task task = task_of("a", id);
  task.share = "ann";
  return task;
}

// 1 holds the key, 2 waits for it, 3 waits for its time in a group, 4 is dead and was tried twice,
// 5 is pinned by 6.
void fill(const TempDir& dir) {
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  Task holder = queued("t1");
  holder.exclusive = "db";
  add_task(txn, holder);
  ok(txn.set_exclusive_holder("db", 1));
  Task waiter = holder;
  waiter.id = "t2";
  waiter.reason = Reason::exclusive;
  add_task(txn, waiter);
  Task later = queued("t3");
  later.reason = Reason::not_before;
  later.not_before.us = 77;
  later.group = "g";
  add_task(txn, later);
  for (const char* id : {"t4", "t5"}) {
    add_task(txn, queued(id));
    Task ended = *ok(txn.find_task(id));
    ended.state = TaskState::failed;
    ended.finished_at.us = 44;
    ended.dead = ended.id == "t4";
    ok(txn.save_task(ended));
  }
  for (uint32_t number : {1U, 2U}) {
    Attempt attempt;
    attempt.number = number;
    ok(txn.save_attempt(4, attempt));
  }
  add_task(txn, queued("t6"));
  ok(txn.pin(5, 6));
  for (int i = 0; i < 2; ++i) {
    Event event;
    event.task = "t1";
    ok(txn.add_event(event));
  }
  ok(txn.number_of(NameKind::slot_class, "gpu=1"));
  ok(txn.number_of(NameKind::route, "tool=browser"));
  Recurring recurring;
  recurring.id = "nightly";
  ok(txn.save_recurring(recurring));
  ok(txn.save_pauses({{PauseKind::agent, "a", "ann", {}}}));
  ok(txn.commit());
}

Problems problems_after(const std::function<void(RawStore&)>& damage) {
  TempDir dir(k_memory);
  fill(dir);
  {
    RawStore raw(dir.store());
    damage(raw);
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::read));
  return ok(store.check()).problems;
}
Problems without(Table table, const std::string& key) {
  return problems_after([&](RawStore& raw) { raw.erase(table, key); });
}
Problems with(Table table, const std::string& key, const std::string& value = "") {
  return problems_after([&](RawStore& raw) { raw.put(table, key, value); });
}
// With a header that is right.
Problems with_value(Table table, const std::string& key, const std::string& body) {
  return with(table, key, make_value(table, key, body));
}
std::string bytes(const Key& key) { return std::string(std::string_view(key)); }

const std::string k_holder = text_key("db", {});
const std::string k_waiter = text_key("db", Key().u8(2).u64(2));
const std::string k_group = text_key("g", Key().u64(3));

}  // namespace

TEST_CASE("a sound queue has no problems") {
  CHECK(problems_after([](RawStore&) {}) == Problems{});
}

TEST_CASE("rows of the queue that are missing are named") {
  CHECK(without(Table::waiting, bytes(waiting_key(1, 3))) ==
        Problems{"waiting 1/3: is missing (of tasks 3)"});
  CHECK(without(Table::timers, bytes(timer_key(77, 3))) ==
        Problems{"timers 77/3: is missing (of tasks 3)"});
  CHECK(without(Table::groups, k_group).size() == 1);
  CHECK(without(Table::dead, bytes(task_key(4))) == Problems{"dead 4: is missing (of tasks 4)"});
  CHECK(without(Table::exclusive, k_holder).size() == 1);
  CHECK(without(Table::exclusive, k_waiter).size() == 1);
  CHECK(without(Table::names, "sann") == Problems{"shares 1: its name leads elsewhere"});
  CHECK(without(Table::shares, bytes(Key().u32(1))) == Problems{"names 'sann': has no such share"});
}

TEST_CASE("rows of the queue that lead to nothing are named") {
  const std::string sequence = bytes(task_key(3));
  CHECK(with(Table::timers, bytes(timer_key(78, 3))) ==
        Problems{"timers 78/3: its task has no such time"});
  CHECK(with(Table::timers, bytes(timer_key(77, 99))) ==
        Problems{"timers 77/99: its task has no such time"});
  CHECK(with(Table::dead, bytes(task_key(1))) == Problems{"dead 1: its task is not dead"});
  CHECK(with(Table::groups, text_key("h", task_key(3))).size() == 1);
  CHECK(with(Table::exclusive, text_key("other", {}), bytes(task_key(1))) ==
        Problems{"exclusive 'other?': its task does not hold it"});
  CHECK(with(Table::exclusive, text_key("db", Key().u8(2).u64(3))).size() == 1);
  CHECK(with(Table::exclusive, text_key("db", Key().u8(1).u64(2))).size() == 1);  // wrong level
  CHECK(with(Table::exclusive, k_holder, bytes(task_key(2))).size() == 2);
  CHECK(with(Table::pins, bytes(edge_key(5, 99))).size() == 1);
  CHECK(with(Table::pins, bytes(edge_key(5, 4))).size() == 1);  // it has ended
  CHECK(with_value(Table::attempts, bytes(attempt_key(99, 1, false)), "") ==
        Problems{"attempts 99/1/0: belongs to no task"});
  CHECK(with_value(Table::events, bytes(task_key(3)), "") ==
        Problems{"events 3: its number was never given"});
  CHECK(with_value(Table::shares, bytes(Key().u32(9)), "").size() == 2);
  CHECK(with_value(Table::names, "sbob", bytes(Key().u32(9))) ==
        Problems{"names 'sbob': its number was never given"});
  CHECK(with_value(Table::names, "cx", bytes(Key().u32(2))) ==
        Problems{"names 'cx': its number was never given"});
  CHECK(with_value(Table::names, "?x", bytes(Key().u32(1))).size() == 1);
}

TEST_CASE("values of the queue that are garbage are named") {
  const std::string broken = "\xff\xff\xff";
  for (const auto& [table, key] : {std::pair{Table::attempts, bytes(attempt_key(4, 1, false))},
                                   {Table::events, bytes(task_key(1))},
                                   {Table::shares, bytes(Key().u32(1))},
                                   {Table::recurring, std::string("nightly")},
                                   {Table::names, std::string("cgpu=1")},
                                   {Table::meta, std::string(k_meta_pauses)}}) {
    INFO(k_table_names[static_cast<size_t>(table)]);
    CHECK(!with(table, key, "x").empty());
    CHECK(!with(table, key, std::string(30, 'x')).empty());
    CHECK(!with_value(table, key, broken).empty());
  }
  record::Event event;
  event.set_kind(static_cast<uint32_t>(k_last_event_kind) + 1);
  CHECK(with_value(Table::events, bytes(task_key(1)), event.SerializeAsString()).size() == 1);
  record::Recurring recurring;
  recurring.set_id("daily");
  CHECK(with_value(Table::recurring, "nightly", recurring.SerializeAsString()) ==
        Problems{"recurring 'nightly': does not parse"});
  record::Pauses pauses;
  pauses.add_pauses()->set_kind(99);
  CHECK(with_value(Table::meta, std::string(k_meta_pauses), pauses.SerializeAsString()).size() ==
        1);
}

TEST_CASE("index rows with a value are named") {
  for (const auto& [table, key] : {std::pair{Table::waiting, bytes(waiting_key(1, 3))},
                                   {Table::timers, bytes(timer_key(77, 3))},
                                   {Table::dead, bytes(task_key(4))},
                                   {Table::groups, k_group},
                                   {Table::exclusive, k_waiter},
                                   {Table::pins, bytes(edge_key(5, 6))}}) {
    INFO(k_table_names[static_cast<size_t>(table)]);
    CHECK(!with(table, key, "x").empty());
  }
}
