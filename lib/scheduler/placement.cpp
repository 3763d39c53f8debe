// SPDX-License-Identifier: Apache-2.0
// What holds a pending task back, and what it leaves to others when it goes.
#include "model/references.hpp"
#include "scheduler/agent_scheduler.hpp"

namespace fabric {

// Sets the reason: what the task waits for now. Of equals by exclusive key one is in the queue or
// runs (the holder); a holder that has not started gives way to a more urgent one.
Status AgentScheduler::decide_place(Task& task) {
  const WallTime due = std::max(task.start_at, task.not_before);
  if (task.waiting_on > 0) {
    task.reason = Reason::dependency;
  } else if (due > now_) {
    task.reason = Reason::not_before;
    task.not_before = due;
  } else {
    task.reason = Reason::queued;
    if (task.exclusive.empty()) return {};
    const std::optional<uint64_t> holder = TRY(txn_.exclusive_holder(task.exclusive));
    if (!holder || *holder == task.sequence) return {};
    std::optional<Task> other = TRY(txn_.find_task(*holder));
    if (!other || other->exclusive != task.exclusive)
      return fail(ErrorCode::failed, "the holder of exclusive key '" + task.exclusive + "' is gone",
                  "check the store with: fabric store check");
    if (other->state == TaskState::pending && other->lane.level > task.lane.level) {
      other->reason = Reason::exclusive;
      TRY_STATUS(txn_.save_task(*other));
    } else {
      task.reason = Reason::exclusive;
    }
  }
  return {};
}

// After decide_place(), once the task has its sequence and is in the store. One that ran may have
// to wait for its start again, when the clock went back: then the key is free.
Status AgentScheduler::took_place(const Task& task) {
  if (task.exclusive.empty()) return {};
  if (task.reason != Reason::queued) return leave_exclusive(task);
  return txn_.set_exclusive_holder(task.exclusive, task.sequence);
}

Status AgentScheduler::put_in_queue(Task& task) {
  TRY_STATUS(decide_place(task));
  TRY_STATUS(txn_.save_task(task));
  TRY_STATUS(took_place(task));
  return task.reason == Reason::queued ? note(EventKind::task_ready, task) : Status{};
}

// The task neither queues nor runs any more: the next with its key may. After it was saved.
Status AgentScheduler::leave_exclusive(const Task& task) {
  if (task.exclusive.empty()) return {};
  const std::optional<uint64_t> holder = TRY(txn_.exclusive_holder(task.exclusive));
  if (holder != task.sequence) return {};
  const std::optional<uint64_t> next = TRY(txn_.next_exclusive_waiter(task.exclusive));
  TRY_STATUS(txn_.set_exclusive_holder(task.exclusive, next.value_or(0)));
  if (!next) return {};
  std::optional<Task> waiter = TRY(txn_.find_task(*next));
  if (!waiter || waiter->reason != Reason::exclusive)
    return fail(ErrorCode::failed, "a row of exclusive key '" + task.exclusive + "' is wrong",
                "check the store with: fabric store check");
  waiter->reason = Reason::queued;
  TRY_STATUS(txn_.save_task(*waiter));
  return note(EventKind::task_ready, *waiter);
}

// Levels have changed: a holder that has not started gives way to a waiter that is more urgent now.
Status AgentScheduler::give_way(const std::string& key) {
  const std::optional<uint64_t> holder = TRY(txn_.exclusive_holder(key));
  const std::optional<uint64_t> next = TRY(txn_.next_exclusive_waiter(key));
  if (!holder || !next) return {};
  std::optional<Task> first = TRY(txn_.find_task(*holder));
  std::optional<Task> waiter = TRY(txn_.find_task(*next));
  if (!first || !waiter || first->state != TaskState::pending ||
      first->lane.level <= waiter->lane.level)
    return {};
  first->reason = Reason::exclusive;
  TRY_STATUS(txn_.save_task(*first));
  waiter->reason = Reason::queued;
  TRY_STATUS(txn_.save_task(*waiter));
  TRY_STATUS(took_place(*waiter));
  return note(EventKind::task_ready, *waiter);
}

// Results that its payload refers to are kept until it has ended.
Status AgentScheduler::pin_results(const Task& task, bool pinned) {
  for (const std::string& id : TRY(referenced_tasks(task.payload))) {
    const std::optional<Task> other = TRY(txn_.find_task(id));
    if (!other) continue;
    TRY_STATUS(pinned ? txn_.pin(other->sequence, task.sequence)
                      : txn_.unpin(other->sequence, task.sequence));
  }
  return {};
}

Status AgentScheduler::note(EventKind kind, const Task& task, std::string detail) {
  Event event;
  event.kind = kind;
  event.at = now_;
  event.task = task.id;
  event.agent = task.agent;
  event.group = task.group;
  event.task_sequence = task.sequence;
  event.attempt = task.attempt;
  event.state = task.state;
  event.reason = task.reason;
  event.detail = std::move(detail);
  return txn_.add_event(event);
}

}  // namespace fabric
