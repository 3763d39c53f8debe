// SPDX-License-Identifier: Apache-2.0
// Cancelling: pending tasks at once, running ones by a stop that the supervisor makes.
#include <limits>

#include "scheduler/agent_scheduler.hpp"

namespace fabric {

Result<AgentScheduler::Cancelled> AgentScheduler::cancel(std::string_view id) {
  return cancel(TRY(get_status(id)));
}

Result<AgentScheduler::Cancelled> AgentScheduler::cancel(Task task) {
  if (is_terminal(task.state))
    return fail(ErrorCode::failed,
                "task " + task.id + " is already " + std::string(to_string(task.state)));
  Cancelled done;
  done.was = task.state;
  // What an external agent has claimed, nobody can stop: it ends here, and its answer comes too
  // late.
  if (task.state == TaskState::running && !task.lease_until.set()) {
    // Written before anything is signalled: whoever supervises next goes on with the stop.
    task.reason = Reason::user;
    TRY_STATUS(txn_.save_task(task));
  } else {
    TRY_STATUS(end(task, TaskState::cancelled, Reason::user, {}, &done.dependents));
  }
  done.task = std::move(task);
  return done;
}

Result<std::vector<AgentScheduler::Cancelled>> AgentScheduler::cancel_matching(
    const store::TaskFilter& filter, bool dry_run) {
  std::vector<Cancelled> done;
  for (TaskState state : {TaskState::pending, TaskState::running}) {
    if (filter.state && *filter.state != state) continue;
    store::TaskFilter wanted = filter;
    wanted.state = state;
    for (Task& task : TRY(txn_.list_tasks(wanted))) {
      if (dry_run) {
        done.push_back({std::move(task), state, {}});
        continue;
      }
      // It may have gone with one before it.
      std::optional<Task> now = TRY(txn_.find_task(task.sequence));
      if (now && !is_terminal(now->state)) done.push_back(TRY(cancel(*std::move(now))));
    }
  }
  return done;
}

Result<AgentScheduler::AgentGone> AgentScheduler::cancel_all(const Agent& agent) {
  AgentGone gone;
  const std::string detail = "agent " + agent.definition.id + " was terminated";
  constexpr size_t k_all = std::numeric_limits<size_t>::max();
  std::vector<std::string> dependents;
  for (uint64_t sequence : TRY(txn_.pending_tasks(agent.number, k_all))) {
    std::optional<Task> task = TRY(txn_.find_task(sequence));
    if (!task || task->state != TaskState::pending) continue;  // went with an earlier one
    TRY_STATUS(end(*task, TaskState::cancelled, Reason::agent_gone, detail, &dependents));
    ++gone.cancelled;
  }
  for (uint64_t sequence : TRY(txn_.running_tasks(agent.number))) {
    std::optional<Task> task = TRY(txn_.find_task(sequence));
    if (!task) continue;
    if (task->lease_until.set()) {
      TRY_STATUS(end(*task, TaskState::cancelled, Reason::agent_gone, detail, &dependents));
      ++gone.cancelled;
      continue;
    }
    if (task->reason != Reason::user) {
      task->reason = Reason::agent_gone;
      task->detail = detail;
      TRY_STATUS(txn_.save_task(*task));
    }
    gone.running.push_back(std::move(*task));
  }
  gone.cancelled += dependents.size();
  return gone;
}

}  // namespace fabric
