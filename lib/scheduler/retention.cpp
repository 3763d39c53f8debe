// SPDX-License-Identifier: Apache-2.0
#include "scheduler/retention.hpp"

#include <algorithm>
#include <limits>

namespace fabric {
namespace {

constexpr WallTime k_end_of_time{std::numeric_limits<int64_t>::max() / 2};

Status remove(store::WriteTxn& txn, const Task& task, Collected& collected) {
  const auto add = [&](const std::string& agent, uint32_t attempt) {
    if (!agent.empty() && attempt > 0) collected.logs.push_back({agent, task.id, attempt});
  };
  for (const Attempt& attempt : TRY(txn.attempts(task.sequence)))
    if (!attempt.late) add(attempt.agent, attempt.number);
  add(task.agent, task.attempt);
  TRY_STATUS(txn.remove_task(task.sequence));
  collected.tasks.push_back(task.id);
  return {};
}

}  // namespace

Result<Garbage> find_garbage(const store::ReadTxn& txn, const RetentionRules& rules, WallTime now) {
  Garbage garbage;
  const TaskCounts counts = TRY(txn.counts());
  const uint64_t ended = counts.total() - counts.pending - counts.running;
  if (rules.tasks != 0 && ended > rules.tasks) garbage.tasks = ended - rules.tasks;
  if (rules.age.ns != 0) {
    const WallTime before{now.us - rules.age.ns / 1000};
    const size_t all = std::numeric_limits<size_t>::max();
    garbage.tasks = std::max<uint64_t>(garbage.tasks, TRY(txn.finished_tasks(before, all)).size());
  }
  const uint64_t first = TRY(txn.first_event());
  const uint64_t last = TRY(txn.last_event());
  if (rules.events != 0 && first != 0 && last > rules.events && last - rules.events >= first)
    garbage.events = last - rules.events - first + 1;
  return garbage;
}

Result<Collected> collect_garbage(store::WriteTxn& txn, const RetentionRules& rules, WallTime now,
                                  size_t limit) {
  Collected collected;
  const TaskCounts counts = TRY(txn.counts());
  const uint64_t ended = counts.total() - counts.pending - counts.running;
  const uint64_t too_many = rules.tasks != 0 && ended > rules.tasks ? ended - rules.tasks : 0;
  const std::vector<uint64_t> oldest =
      too_many > 0 ? TRY(txn.finished_tasks(k_end_of_time, std::min<uint64_t>(too_many, limit)))
                   : std::vector<uint64_t>{};
  std::vector<uint64_t> old;
  if (rules.age.ns != 0)
    old = TRY(txn.finished_tasks(WallTime{now.us - rules.age.ns / 1000}, limit));
  // Both lists begin with the same tasks.
  const std::vector<uint64_t>& gone = old.size() > oldest.size() ? old : oldest;
  for (uint64_t sequence : gone) {
    const std::optional<Task> task = TRY(txn.find_task(sequence));
    if (task && !TRY(txn.is_pinned(sequence))) TRY_STATUS(remove(txn, *task, collected));
  }
  if (rules.events != 0) {
    const uint64_t last = TRY(txn.last_event());
    if (last > rules.events)
      collected.events = TRY(txn.remove_events(last - rules.events, limit * 4));
  }
  collected.more =
      (gone.size() >= limit && !collected.tasks.empty()) || collected.events >= limit * 4;
  return collected;
}

}  // namespace fabric
