// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

TEST_CASE("threads read while others write and the map grows") {
  TempDir dir(k_memory);
  Store store = create(dir, {.map_bytes = 256 << 10, .headroom_bytes = 128 << 10});
  add_agent(store, "a");
  std::atomic<int> failures = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      uint64_t before = 0;
      while (!stop) {
        Result<ReadTxn> txn = store.read();
        Result<TaskCounts> counts =
            txn ? txn->counts() : Result<TaskCounts>(fail(ErrorCode::failed, "no transaction"));
        Result<std::vector<Task>> list =
            txn ? txn->list_tasks({}) : Result<std::vector<Task>>(fail(ErrorCode::failed, ""));
        if (!counts || !list || counts->total() < before) ++failures;
        if (counts) before = counts->total();
      }
    });
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 60; ++round) {
        Result<WriteTxn> txn = store.write();
        if (!txn) {
          ++failures;
          continue;
        }
        for (int n = 0; n < 40; ++n) {
          Task task = task_of("a", std::to_string(i) + "-" + std::to_string(round * 100 + n));
          if (!txn->add_task(task, {})) ++failures;
        }
        if (!txn->commit()) ++failures;
      }
    });
  threads.emplace_back([&] {
    for (int i = 0; i < 20; ++i) {
      if (!store.stat()) ++failures;
      store.clear_stale_readers();
    }
  });
  for (size_t i = 3; i < threads.size(); ++i) threads[i].join();
  stop = true;
  for (size_t i = 0; i < 3; ++i) threads[i].join();
  CHECK(failures == 0);
  CHECK(ok(ok(store.read()).counts()).pending == 4800);
  require_clean(store);
}
