// SPDX-License-Identifier: Apache-2.0
// The store by itself: tasks made durable 1, 100 and 10,000 a transaction beside raw LMDB puts of
// the same bytes; what a transaction inside another costs; reads, claims and opening.
#include "base/id.hpp"
#include "bench_lmdb.hpp"
#include "bench_support.hpp"
#include "store/codec.hpp"
#include "store/store.hpp"
#include "store/value.hpp"

namespace fabric::bench {
namespace {

using store::ReadTxn;
using store::Store;
using store::WriteTxn;

Task new_task() {
  Task task;
  task.id = make_uuid7();
  task.agent = "coder";
  task.type = "review";
  task.payload = "\"" + std::string(98, 'p') + "\"";
  task.user = "ann";
  task.correlation_id = make_uuid7();
  task.created_at = system_clock().now();
  return task;
}

// The bytes of its record in the store.
std::string value_of(const Task& task) {
  store::record::Task record;
  store::put_task(task, record);
  record.set_agent_number(1);
  record.set_payload(task.payload);
  return store::make_value(store::Table::tasks, store::task_key(1), record.SerializeAsString());
}

void add_agent(Store& store) {
  Agent agent;
  agent.definition.id = "coder";
  agent.definition.command = {"cat"};
  WriteTxn txn = need(store.write());
  need(txn.save_agent(agent));
  need(txn.commit());
}

void submits(Store& store, RawTable& table, Report& report) {
  const std::pair<size_t, int> sizes[] = {{1, 1000}, {100, 200}, {10'000, 20}};
  for (const auto& [size, rounds] : sizes) {
    Series raw, durable, adding;
    for (int round = 0; round < rounds + 1; ++round) {
      std::vector<Task> tasks(size);
      std::vector<std::string> values(size);
      for (size_t i = 0; i < size; ++i) {
        tasks[i] = new_task();
        values[i] = value_of(tasks[i]);
      }
      const std::vector<std::string_view> views(values.begin(), values.end());
      const int64_t begin = now_ns();
      table.put(views);
      const int64_t between = now_ns();
      WriteTxn txn = need(store.write());
      for (Task& task : tasks) need(txn.add_task(task, {}));
      const int64_t added = now_ns();
      need(txn.commit());
      const int64_t end = now_ns();
      if (round == 0) continue;
      raw.add(between - begin);
      adding.add(added - between);
      durable.add(end - between);
    }
    const auto tasks = static_cast<double>(size) * rounds;
    const auto count = static_cast<size_t>(tasks);
    const std::string what = std::to_string(size) + " a transaction";
    const Row& floor = report.rate("raw LMDB puts, " + what, tasks / raw.total_seconds(), count);
    Row& row = report.rate("durable tasks, " + what, tasks / durable.total_seconds(), count);
    row.beside(floor);
    if (size == 10'000) row.goal_at_least(250'000);
    report.figure("  add_task, " + what, "us", adding.total_seconds() * 1e6 / tasks);
  }
}

void nesting(Store& store, Report& report) {
  constexpr int k_rounds = 10'000;
  Series flat, nested;
  for (int i = 0; i < 5; ++i) {
    WriteTxn txn = need(store.write());
    const int64_t begin = now_ns();
    for (int n = 0; n < k_rounds; ++n) {
      Task task = new_task();
      need(txn.add_task(task, {}));
    }
    const int64_t between = now_ns();
    for (int n = 0; n < k_rounds; ++n) {
      WriteTxn inner = need(txn.nested());
      Task task = new_task();
      need(inner.add_task(task, {}));
      need(inner.commit());
    }
    const int64_t end = now_ns();
    flat.add(between - begin);
    nested.add(end - between);
  }
  const Row& alone = report.figure("task added", "us", flat.median_ms() * 1000 / k_rounds);
  report
      .figure("task added in a transaction of its own inside", "us",
              nested.median_ms() * 1000 / k_rounds)
      .beside(alone);
}

// Microseconds of one of `count` calls.
template <class Work>
Row& each(Report& report, const std::string& name, int count, Work work) {
  const int64_t begin = now_ns();
  for (int i = 0; i < count; ++i) work(static_cast<uint64_t>(i));
  return report.figure(name, "us", static_cast<double>(now_ns() - begin) / 1000.0 / count);
}

// Of agent 1, whose tasks are all in one lane.
Result<std::optional<uint64_t>> next_ready(const ReadTxn& txn) {
  const std::vector<store::LaneBacklog> lanes = TRY(txn.ready_lanes(1));
  if (lanes.empty()) return std::optional<uint64_t>();
  return txn.lane_head(lanes[0].lane);
}

void reads(const Store& store, Report& report) {
  const ReadTxn txn = need(store.read());
  const uint64_t total = need(txn.counts()).total();
  const auto some = [total](uint64_t i) { return 1 + i * 7919 % total; };
  std::vector<std::string> ids;
  for (uint64_t i = 0; i < 20'000; ++i) ids.push_back(need(txn.find_task(some(i)))->id);
  each(report, "read transaction begun and ended", 100'000, [&](uint64_t) { need(store.read()); });
  each(report, "task found by sequence", 100'000,
       [&](uint64_t i) { need(txn.find_task(some(i))); });
  each(report, "task found by id", 100'000,
       [&](uint64_t i) { need(txn.find_task(ids[i % ids.size()])); });
  each(report, "next ready task", 100'000, [&](uint64_t) { need(next_ready(txn)); });
  each(report, "counters of an agent", 100'000, [&](uint64_t) { need(txn.counts(1)); });
  each(report, "newest 50 tasks listed", 1'000, [&](uint64_t) { need(txn.list_tasks({})); });
  const int64_t begin = now_ns();
  const store::CheckReport check = need(store.check());
  if (!check.problems.empty()) throw Failure(check.problems[0]);
  report.figure("check of " + std::to_string(check.records) + " rows", "ms",
                static_cast<double>(now_ns() - begin) / 1e6);
}

void claims(Store& store, Report& report) {
  constexpr int k_rounds = 10'000;
  WriteTxn txn = need(store.write());
  each(report, "task claimed: found, read, saved", k_rounds, [&](uint64_t) {
    Task task = *need(txn.find_task(*need(next_ready(txn))));
    task.state = TaskState::running;
    task.attempt_id = need(txn.next_unique());
    need(txn.save_task(task));
  });
  const std::vector<uint64_t> running = need(txn.running_tasks());
  each(report, "task finished: read, saved, result saved", k_rounds, [&](uint64_t i) {
    Task task = *need(txn.find_task(running[i]));
    task.state = TaskState::completed;
    task.finished_at = system_clock().now();
    need(txn.save_task(task));
    need(txn.save_result(task.sequence, {"done", true}));
  });
  need(txn.commit());
}

void body(const Options& options, Report& report) {
  const std::string directory = options.scratch + "/store";
  RawTable table(options.scratch + "/raw");
  {
    Store store = need(Store::open(directory, Store::Mode::create));
    add_agent(store);
    submits(store, table, report);
    nesting(store, report);
    claims(store, report);
    reads(store, report);
  }
  each(report, "opened, one task read, closed", 500, [&](uint64_t) {
    const Store store = need(Store::open(directory, Store::Mode::read));
    need(need(store.read()).find_task(uint64_t{1}));
  });
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "store", 120, fabric::bench::body);
}
