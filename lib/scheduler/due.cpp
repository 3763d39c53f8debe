// SPDX-License-Identifier: Apache-2.0
// What time brings: starts that are due, limits of waiting, leases that run out.
#include <algorithm>

#include "scheduler/agent_scheduler.hpp"

namespace fabric {

Result<size_t> AgentScheduler::tick(size_t limit) {
  const std::vector<uint64_t> due = TRY(txn_.due_timers(now_, limit));
  for (uint64_t sequence : due) TRY_STATUS(decide_due(sequence));
  if (due.size() >= limit) return due.size();
  return due.size() + TRY(tick_recurring());
}

Status AgentScheduler::decide_due(uint64_t sequence) {
  std::optional<Task> task = TRY(txn_.find_task(sequence));
  if (!task) return {};  // it went with one before it
  if (task->state == TaskState::running) {
    if (!task->lease_until.set()) return {};
    if (task->deadline.set() && task->deadline <= now_)
      return end(*task, TaskState::timed_out, Reason::deadline,
                 "did not end before its deadline, " + to_rfc3339(task->deadline));
    if (task->lease_until > now_) return {};
    TRY(requeue(sequence, task->attempt_id, Requeue::lost, "its lease ran out"));
    return {};
  }
  if (task->state != TaskState::pending) return {};
  if (task->deadline.set() && task->deadline <= now_)
    return end(*task, TaskState::timed_out, Reason::deadline,
               "did not start before its deadline, " + to_rfc3339(task->deadline));
  if (task->queue_ttl.ns != 0 && task->attempt == 0 && task->created_at + task->queue_ttl <= now_)
    return end(*task, TaskState::timed_out, Reason::queue_ttl,
               "waited longer than " + to_string(task->queue_ttl) + " for its start");
  if (task->reason == Reason::not_before && task->not_before <= now_) return put_in_queue(*task);
  return {};
}

Result<std::optional<WallTime>> AgentScheduler::next_tick(const store::ReadTxn& txn) {
  std::optional<WallTime> next = TRY(txn.next_timer());
  for (const Recurring& recurring : TRY(txn.list_recurring()))
    if (recurring.due.set() && (!next || recurring.due < *next)) next = recurring.due;
  return next;
}

}  // namespace fabric
