// SPDX-License-Identifier: Apache-2.0
// Rows that are wrong, missing or garbage: check() names each, and nothing crashes.
#include <functional>
#include <random>

#include "store/records.pb.h"
#include "store/value.hpp"
#include "tests/unit/store/helpers.hpp"
#include "tests/unit/store/raw.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

// 1 ready, 2 running, 3 ended with a result, 4 waits for 1, 5 has a long payload.
void fill(const TempDir& dir) {
  Store store = create(dir);
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  for (int i = 1; i <= 3; ++i) add_task(txn, task_of("a", "t" + std::to_string(i)));
  add_task(txn, task_of("a", "t4"), {1});
  Task big = task_of("a", "t5");
  big.payload = std::string(5000, 'b');
  add_task(txn, big);
  Task running = *ok(txn.find_task("t2"));
  running.state = TaskState::running;
  ok(txn.save_task(running));
  Task ended = *ok(txn.find_task("t3"));
  ended.state = TaskState::completed;
  ended.finished_at.us = 33;
  ok(txn.save_task(ended));
  ok(txn.save_result(3, {"out", true}));
  ok(txn.save_supervisor({1, 2, "b", {}, "v", ""}));
  ok(txn.commit());
}

std::vector<std::string> problems_after(const std::function<void(RawStore&)>& damage) {
  TempDir dir(k_memory);
  fill(dir);
  {
    RawStore raw(dir.store());
    damage(raw);
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::read));
  return ok(store.check()).problems;
}

using Problems = std::vector<std::string>;
constexpr Lane k_lane{1, 1, Priority::normal, 0};

}  // namespace

TEST_CASE("a sound store has no problems") {
  CHECK(problems_after([](RawStore&) {}) == Problems{});
}

TEST_CASE("missing index rows are named") {
  CHECK(problems_after([](RawStore& raw) { raw.erase(Table::ready, ready_key(k_lane, 1)); }) ==
        Problems{"ready 1/1/2/0/1: is missing (of tasks 1)"});
  CHECK(problems_after([](RawStore& raw) { raw.erase(Table::running, running_key(1, 2)); }) ==
        Problems{"running 1/2: is missing (of tasks 2)"});
  CHECK(problems_after([](RawStore& raw) { raw.erase(Table::finished, finished_key(33, 3)); }) ==
        Problems{"finished 33/3: is missing (of tasks 3)"});
  CHECK(problems_after([](RawStore& raw) { raw.erase(Table::task_ids, "t1"); }) ==
        Problems{"task_ids 't1': is missing (of tasks 1)"});
  CHECK(problems_after([](RawStore& raw) { raw.erase(Table::edges, edge_key(1, 4)); }) ==
        Problems{"tasks 4: waits for 1, but has 0 edges"});
  CHECK(problems_after([](RawStore& raw) { raw.erase(Table::counts, counts_key(1)); }) ==
        Problems{"counts 1: is missing"});
  CHECK(problems_after([](RawStore& raw) { raw.erase(Table::payloads, task_key(5)); }) ==
        Problems{"damaged record: payloads 5: is missing", "counts 0: says 3 pending, there are 2",
                 "counts 1: says 3 pending, there are 2"});
}

TEST_CASE("rows that lead nowhere are named") {
  CHECK(problems_after([](RawStore& raw) { raw.put(Table::ready, ready_key(k_lane, 99), ""); }) ==
        Problems{"ready 1/1/2/0/99: no such task"});
  CHECK(problems_after([](RawStore& raw) { raw.put(Table::waiting, waiting_key(2, 1), ""); }) ==
        Problems{"waiting 2/1: its task is not in this state"});
  CHECK(problems_after([](RawStore& raw) { raw.put(Table::running, running_key(1, 1), ""); }) ==
        Problems{"running 1/1: its task is not in this state"});
  CHECK(problems_after([](RawStore& raw) { raw.put(Table::task_ids, "x", std::string(8, 1)); }) ==
        Problems{"task_ids 'x': leads to no such task"});
  CHECK(problems_after([](RawStore& raw) { raw.put(Table::edges, edge_key(98, 99), ""); }) ==
        Problems{"edges 98/99: no such dependent"});
  CHECK(problems_after([](RawStore& raw) {
          raw.put(Table::results, task_key(9), make_value(Table::results, task_key(9), ""));
        }) == Problems{"results 9: belongs to no task"});
  CHECK(problems_after([](RawStore& raw) {
          raw.put(Table::payloads, task_key(1), make_value(Table::payloads, task_key(1), "p"));
        }) == Problems{"payloads 1: belongs to no task"});
}

TEST_CASE("a task that was damaged is never shown") {
  TempDir dir(k_memory);
  fill(dir);
  {
    RawStore raw(dir.store());
    std::string value = raw.get(Table::tasks, task_key(1));
    value.back() = static_cast<char>(value.back() ^ 1);
    raw.put(Table::tasks, task_key(1), value);
    raw.put(Table::tasks, task_key(2), raw.get(Table::tasks, task_key(3)));  // swapped
    std::string id(8, '\0');
    id.back() = 5;
    raw.put(Table::task_ids, "t4", id);
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::read));
  ReadTxn txn = ok(store.read());
  CHECK(!txn.find_task("t1"));
  CHECK(!txn.find_task(uint64_t{2}));
  CHECK(!txn.find_task("t4"));
  CHECK(!txn.list_tasks({}));
  CHECK(!next_ready(txn, 1));
  CHECK(txn.find_task("t1").error().message == "damaged record: tasks 1: checksum");
  const Problems problems = ok(store.check()).problems;
  CHECK(problems.size() >= 4);
}

TEST_CASE("garbage in every table is reported and crashes nothing") {
  std::mt19937_64 random(7);
  for (size_t table = 0; table < k_tables; ++table) {
    for (int round = 0; round < 40; ++round) {
      TempDir dir(k_memory);
      fill(dir);
      {
        RawStore raw(dir.store());
        for (int i = 0; i < 5; ++i) {
          std::string key(1 + random() % 20, '\0');
          for (char& c : key) c = static_cast<char>(random() % 3 == 0 ? random() : 0);
          std::string value(random() % 40, '\0');
          for (char& c : value) c = static_cast<char>(random());
          // Half of them with a header that is right.
          if (random() % 2 == 0) value = make_value(static_cast<Table>(table), key, value);
          raw.put(static_cast<Table>(table), key, value);
        }
      }
      Store store = ok(Store::open(dir.store(), Store::Mode::write));
      const CheckReport report = ok(store.check());
      if (static_cast<Table>(table) != Table::meta) CHECK(!report.problems.empty());
      WriteTxn txn = ok(store.write());
      for (uint64_t sequence = 0; sequence < 7; ++sequence) {
        static_cast<void>(txn.find_task(sequence));
        static_cast<void>(txn.find_result(sequence));
        static_cast<void>(txn.dependents(sequence));
      }
      for (uint32_t agent = 0; agent < 3; ++agent) {
        static_cast<void>(next_ready(txn, agent));
        static_cast<void>(txn.pending_tasks(agent, 10));
        static_cast<void>(txn.running_tasks(agent));
        static_cast<void>(txn.counts(agent));
      }
      static_cast<void>(txn.list_tasks(filter()));
      static_cast<void>(txn.list_agents());
      static_cast<void>(txn.running_tasks());
      static_cast<void>(txn.finished_tasks({int64_t{1} << 60}, 100));
      Task task = task_of("a", "new");
      static_cast<void>(txn.add_task(task, {}));
    }
  }
}
