// SPDX-License-Identifier: Apache-2.0
// What time brings: starts that are due, limits of waiting, leases that run out.
#include <algorithm>

#include "scheduler/agent_scheduler.hpp"

namespace fabric {

Result<AgentScheduler::Ticked> AgentScheduler::tick(size_t limit) {
  Ticked ticked;
  for (uint64_t sequence : TRY(txn_.due_timers(now_, limit))) {
    store::WriteTxn nested = TRY(txn_.nested());
    Status decided = AgentScheduler(nested, now_, rules_).decide_due(sequence);
    if (decided) decided = nested.commit();
    if (!decided && !ticked.failed) ticked.failed = decided.error();
    ++ticked.decided;
  }
  if (ticked.decided < limit) ticked.decided += TRY(tick_recurring());
  return ticked;
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
    const Duration limit = TRY(running_limit(*task));
    if (limit.ns != 0 && task->started_at + limit <= now_) {
      Outcome over;
      over.state = TaskState::timed_out;
      over.reason = Reason::timeout;
      over.detail = "ran longer than " + to_string(limit);
      TRY(finish(sequence, task->attempt_id, over));
      return {};
    }
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
  const std::optional<WallTime> timer = TRY(txn.next_timer());
  const std::optional<WallTime> recurring = TRY(next_recurring(txn));
  return timer && recurring ? std::min(*timer, *recurring) : timer ? timer : recurring;
}

}  // namespace fabric
