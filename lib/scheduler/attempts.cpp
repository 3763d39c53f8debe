// SPDX-License-Identifier: Apache-2.0
// From a claim to the end of an attempt.
#include <algorithm>

#include "scheduler/agent_scheduler.hpp"
#include "scheduler/payload.hpp"

namespace fabric {
namespace {

EventKind end_event(TaskState state) {
  switch (state) {
    case TaskState::completed:
      return EventKind::task_completed;
    case TaskState::cancelled:
      return EventKind::task_cancelled;
    case TaskState::timed_out:
      return EventKind::task_timed_out;
    default:
      return EventKind::task_failed;
  }
}

bool retries(const Task& task, TaskState state, Reason reason, std::optional<int> exit_code) {
  if (task.retries >= task.retry.limit) return false;
  if (state != TaskState::failed && state != TaskState::timed_out) return false;
  if (reason == Reason::deadline) return false;  // it could only be late again
  if (task.retry.on.empty()) return true;
  return std::any_of(task.retry.on.begin(), task.retry.on.end(), [&](const std::string& on) {
    if (on == "lost") return reason == Reason::lost;
    if (on == "timed_out") return state == TaskState::timed_out;
    if (on == "failed") return state == TaskState::failed && reason != Reason::lost;
    return state == TaskState::failed && exit_code && on == "exit:" + std::to_string(*exit_code);
  });
}

}  // namespace

Result<std::optional<Task>> AgentScheduler::claim(const Agent& agent, const FairQueue::Pick& pick,
                                                  Duration lease) {
  std::optional<uint64_t> next;
  for (uint32_t slot_class : pick.classes) {
    const auto head = TRY(txn_.lane_head({pick.queue, pick.share, pick.level, slot_class}));
    if (head && (!next || *head < *next)) next = head;
  }
  if (!next)
    return fail(ErrorCode::failed, "a lane that has ready tasks is empty",
                "check the store with: fabric store check");
  std::optional<Task> found = TRY(txn_.find_task(*next));
  if (!found)
    return fail(ErrorCode::failed, "a ready task is not in the store",
                "check the store with: fabric store check");
  Task task = *std::move(found);
  if (!TRY(expand_payload(task))) return std::optional<Task>();
  task.state = TaskState::running;
  task.reason = Reason::none;
  task.detail.clear();
  task.agent = agent.definition.id;
  task.attempt += 1;
  task.attempt_id = TRY(txn_.next_unique());
  task.started_at = now_;
  task.not_before = {};
  if (lease.ns > 0) task.lease_until = TRY(lease_end(task, lease));
  TRY_STATUS(txn_.save_task(task));
  TRY_STATUS(note(EventKind::task_started, task));
  return std::optional<Task>(std::move(task));
}

// The payload in the store stays as it was submitted. False: it refers to what is not there, and
// the task has failed.
Result<bool> AgentScheduler::expand_payload(Task& task) {
  Result<std::string> expanded = expand_task_references(txn_, task);
  if (expanded) {
    task.payload = *std::move(expanded);
    return true;
  }
  if (expanded.error().code != ErrorCode::usage) return fail(expanded.error());
  TRY_STATUS(end(task, TaskState::failed, Reason::reference, expanded.error().message));
  return false;
}

Result<std::optional<Task>> AgentScheduler::finish(uint64_t sequence, uint64_t attempt_id,
                                                   const Outcome& outcome) {
  std::optional<Task> task = TRY(txn_.find_task(sequence));
  if (!task || task->state != TaskState::running || task->attempt_id != attempt_id)
    return std::optional<Task>();
  task->exit_code = outcome.exit_code;
  task->signal = outcome.signal;
  task->result_bytes = outcome.result_bytes;
  task->stderr_bytes = outcome.stderr_bytes;
  task->dropped_bytes = outcome.dropped_bytes;
  task->cpu = outcome.cpu;
  task->memory_peak_bytes = outcome.memory_peak_bytes;
  // An empty one too, where an earlier attempt left something.
  if (outcome.result_bytes > 0 || !outcome.result.head.empty() ||
      (task->attempt > 1 && TRY(txn_.find_result(sequence))))
    TRY_STATUS(txn_.save_result(sequence, outcome.result));
  if (task->reason == Reason::user || task->reason == Reason::agent_gone)
    TRY_STATUS(end(*task, TaskState::cancelled, task->reason, task->detail));
  else if (outcome.state != TaskState::completed &&
           retries(*task, outcome.state, outcome.reason, outcome.exit_code))
    TRY_STATUS(to_next_attempt(*task, outcome));
  else
    TRY_STATUS(end(*task, outcome.state, outcome.reason, outcome.detail));
  return task;
}

Status AgentScheduler::to_next_attempt(Task& task, const Outcome& outcome) {
  TRY_STATUS(keep_attempt(task, outcome));
  task.retries += 1;
  const Duration pause = delay_before(task.retry.backoff, task.retries, task.sequence);
  task.state = TaskState::pending;
  task.reason = Reason::not_before;
  task.not_before = now_ + pause;
  task.started_at = {};
  task.lease_until = {};
  task.detail = "attempt " + std::to_string(task.attempt) + " " +
                std::string(to_string(outcome.state)) +
                (outcome.detail.empty() ? "" : ": " + outcome.detail);
  task.exit_code.reset();
  task.signal.reset();
  if (!task.require.empty()) task.agent.clear();
  if (pause.ns == 0) {
    TRY_STATUS(decide_place(task));
    TRY_STATUS(txn_.save_task(task));
    TRY_STATUS(took_place(task));
  } else {
    TRY_STATUS(txn_.save_task(task));
    TRY_STATUS(leave_exclusive(task));
  }
  return note(EventKind::task_retrying, task,
              task.detail + (pause.ns == 0 ? "" : "; again in " + human(pause)));
}

Status AgentScheduler::keep_attempt(const Task& task, const Outcome& outcome) {
  Attempt attempt;
  attempt.number = task.attempt;
  attempt.attempt_id = task.attempt_id;
  attempt.agent = task.agent;
  attempt.started_at = task.started_at;
  attempt.ended_at = now_;
  attempt.state = outcome.state;
  attempt.reason = outcome.reason;
  attempt.detail = outcome.detail;
  attempt.exit_code = outcome.exit_code;
  attempt.signal = outcome.signal;
  attempt.cpu = outcome.cpu;
  attempt.memory_peak_bytes = outcome.memory_peak_bytes;
  return txn_.save_attempt(task.sequence, attempt);
}

Result<std::optional<Task>> AgentScheduler::add_usage(uint64_t sequence, uint64_t attempt_id,
                                                      const Usage& usage) {
  std::optional<Task> task = TRY(txn_.find_task(sequence));
  if (!task || task->attempt_id != attempt_id) return std::optional<Task>();
  task->usage += usage;
  TRY_STATUS(txn_.save_task(*task));
  return task;
}

Result<std::optional<Task>> AgentScheduler::requeue(uint64_t sequence, uint64_t attempt_id,
                                                    Requeue why, std::string detail) {
  std::optional<Task> task = TRY(txn_.find_task(sequence));
  if (!task || task->state != TaskState::running || task->attempt_id != attempt_id)
    return std::optional<Task>();
  if (task->reason == Reason::user || task->reason == Reason::agent_gone) {
    TRY_STATUS(end(*task, TaskState::cancelled, task->reason, task->detail));
    return task;
  }
  Outcome outcome;
  outcome.state = TaskState::pending;
  outcome.reason = why == Requeue::lost ? Reason::lost : Reason::none;
  outcome.detail = detail;
  if (why == Requeue::lost && ++task->lost_attempts >= rules_.max_lost_attempts) {
    outcome.state = TaskState::failed;
    if (retries(*task, outcome.state, outcome.reason, {}))
      TRY_STATUS(to_next_attempt(*task, outcome));
    else
      TRY_STATUS(end(*task, TaskState::failed, Reason::lost, std::move(detail)));
    return task;
  }
  TRY_STATUS(keep_attempt(*task, outcome));
  task->state = TaskState::pending;
  task->detail = std::move(detail);
  task->started_at = {};
  task->lease_until = {};
  if (!task->require.empty()) task->agent.clear();
  TRY_STATUS(decide_place(*task));
  TRY_STATUS(txn_.save_task(*task));
  TRY_STATUS(took_place(*task));
  TRY_STATUS(note(EventKind::task_requeued, *task, task->detail));
  return task;
}

Status AgentScheduler::end(Task& task, TaskState state, Reason reason, std::string detail,
                           std::vector<std::string>* dependents) {
  const bool waited = task.waiting_on > 0;
  if (waited) TRY_STATUS(forget_edges(task));
  // Nobody will try it again unless a person says so.
  task.dead = (state == TaskState::failed || state == TaskState::timed_out) &&
              (task.retry.limit > 0 || reason == Reason::lost);
  task.waiting_on = 0;
  task.state = state;
  task.reason = reason;
  task.detail = std::move(detail);
  task.finished_at = now_;
  task.lease_until = {};
  TRY_STATUS(txn_.save_task(task));
  TRY_STATUS(pin_results(task, false));
  TRY_STATUS(note(end_event(state), task, task.detail));
  TRY_STATUS(leave_exclusive(task));
  return settle_dependents(task, dependents);
}

}  // namespace fabric
