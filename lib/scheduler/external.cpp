// SPDX-License-Identifier: Apache-2.0
// Agents that fabric does not start: they claim a task for some time, and complete it by hand. The
// lease is the attempt id: who has an older one is refused.
#include <algorithm>

#include "scheduler/agent_scheduler.hpp"

namespace fabric {

// The task while this lease holds. `ended`, where given, is set instead of an error when the task
// has ended.
Result<Task> AgentScheduler::leased(std::string_view id, uint64_t lease, bool* ended) const {
  Task task = TRY(get_status(id));
  if (is_terminal(task.state)) {
    if (ended == nullptr)
      return fail(ErrorCode::failed,
                  "task " + task.id + " is already " + std::string(to_string(task.state)));
    *ended = true;
    return task;
  }
  if (task.state != TaskState::running)
    return fail(ErrorCode::failed,
                task.attempt == 0
                    ? "task " + task.id + " is not claimed"
                    : "task " + task.id + " is not claimed any more: its lease is over",
                "claim it again with: fabric claim " +
                    (task.agent.empty() ? std::string("AGENT") : task.agent));
  if (!task.lease_until.set())
    return fail(ErrorCode::failed,
                "task " + task.id + " is run by fabric, not by an external agent");
  if (lease == 0)
    return fail(ErrorCode::usage, "which lease? the claim of task " + task.id + " has told it",
                "say --lease N, or set FABRIC_LEASE");
  if (task.attempt_id != lease)
    return fail(ErrorCode::failed, "lease " + std::to_string(lease) + " of task " + task.id +
                                       " is over: it was claimed again since");
  return task;
}

// Of a task that is leased; 0: none.
Result<Duration> AgentScheduler::running_limit(const Task& task) const {
  if (task.timeout.ns != 0) return task.timeout;
  const std::optional<Agent> agent = TRY(txn_.find_agent(task.agent));
  return agent ? agent->definition.timeout : Duration{};
}

// No lease lasts longer than the task may run: what ends with the running time has timed out, and
// what ends before it goes to the next one.
Result<WallTime> AgentScheduler::lease_end(const Task& task, Duration lease) const {
  const Duration limit = TRY(running_limit(task));
  const WallTime end = now_ + lease;
  return limit.ns != 0 ? std::min(end, task.started_at + limit) : end;
}

Result<Task> AgentScheduler::extend(std::string_view id, uint64_t lease, Duration duration) {
  Task task = TRY(leased(id, lease, nullptr));
  task.lease_until = TRY(lease_end(task, duration));
  TRY_STATUS(txn_.save_task(task));
  TRY_STATUS(note(EventKind::task_extended, task, "by " + human(duration)));
  return task;
}

Result<AgentScheduler::Completion> AgentScheduler::complete(std::string_view id, uint64_t lease,
                                                            const Outcome& outcome) {
  bool ended = false;
  Task task = TRY(leased(id, lease, &ended));
  if (!ended) {
    const std::optional<Task> done = TRY(finish(task.sequence, lease, outcome));
    return Completion{done ? *done : task, false};
  }
  if (lease != 0 && lease == task.attempt_id) {
    Attempt late;
    late.number = task.attempt;
    late.attempt_id = lease;
    late.agent = task.agent;
    late.started_at = task.started_at;
    late.ended_at = now_;
    late.state = outcome.state;
    late.reason = outcome.reason;
    late.detail = outcome.state == TaskState::completed ? outcome.result.head.substr(0, 1024)
                                                        : outcome.detail;
    late.late = true;
    TRY_STATUS(txn_.save_attempt(task.sequence, late));
    TRY_STATUS(note(EventKind::task_late_result, task, std::string(to_string(outcome.state))));
  }
  return Completion{std::move(task), true};
}

Result<Task> AgentScheduler::release(std::string_view id, uint64_t lease) {
  const Task task = TRY(leased(id, lease, nullptr));
  std::optional<Task> released =
      TRY(requeue(task.sequence, lease, Requeue::interrupted, "given back by its agent"));
  return released ? *std::move(released) : task;
}

}  // namespace fabric
