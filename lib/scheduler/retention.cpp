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

// The oldest that are too many or too old and that nobody will read, at most `limit`. The list is
// walked as far as that takes: what is pinned must not stand before the others for ever.
Result<std::vector<uint64_t>> removable(const store::ReadTxn& txn, const RetentionRules& rules,
                                        WallTime now, size_t limit) {
  const TaskCounts counts = TRY(txn.counts());
  const uint64_t ended = counts.total() - counts.pending - counts.running;
  const uint64_t too_many = rules.tasks != 0 && ended > rules.tasks ? ended - rules.tasks : 0;
  for (size_t look = std::max<size_t>(limit, 1);; look *= 2) {
    std::vector<uint64_t> oldest, old;
    if (too_many > 0)
      oldest = TRY(txn.finished_tasks(k_end_of_time, std::min<uint64_t>(too_many, look)));
    if (rules.age.ns != 0)
      old = TRY(txn.finished_tasks(WallTime{now.us - rules.age.ns / 1000}, look));
    // Both lists begin with the same tasks.
    const std::vector<uint64_t>& gone = old.size() > oldest.size() ? old : oldest;
    std::vector<uint64_t> free;
    for (size_t i = 0; i < gone.size() && free.size() < limit; ++i)
      if (!TRY(txn.is_pinned(gone[i]))) free.push_back(gone[i]);
    if (free.size() >= limit || gone.size() < look) return free;
  }
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
  for (uint64_t sequence : TRY(removable(txn, rules, now, limit)))
    if (const std::optional<Task> task = TRY(txn.find_task(sequence)))
      TRY_STATUS(remove(txn, *task, collected));
  if (rules.events != 0) {
    const uint64_t last = TRY(txn.last_event());
    if (last > rules.events)
      collected.events = TRY(txn.remove_events(last - rules.events, limit * 4));
  }
  collected.more = collected.tasks.size() >= limit || collected.events >= limit * 4;
  return collected;
}

}  // namespace fabric
