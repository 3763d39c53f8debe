// SPDX-License-Identifier: Apache-2.0
#include "scheduler/agent_scheduler.hpp"

#include <deque>
#include <limits>
#include <unordered_map>

#include "scheduler/dependencies.hpp"

namespace fabric {
namespace {

tl::unexpected<Error> no_such_task(std::string_view id) {
  return fail(ErrorCode::not_found, "task " + std::string(id) + " not found",
              "list tasks with: fabric tasks");
}

// A dependency that ended badly decides the fate of those that wait for it.
TaskState fate_of_dependents(TaskState ended) {
  return ended == TaskState::cancelled ? TaskState::cancelled : TaskState::failed;
}

}  // namespace

AgentScheduler::Dependency AgentScheduler::dependency_of(const Task& task) {
  // A chain names the ancestor that really failed, not the link next to it.
  if (task.reason == Reason::dependency && !task.detail.empty())
    return {task.sequence, task.state, task.detail};
  return {task.sequence, task.state,
          "dependency " + task.id + " " + std::string(to_string(task.state))};
}

void AgentScheduler::touch(const std::string& agent) {
  if (touched_set_.insert(agent).second) touched_.push_back(agent);
}

Result<std::vector<Scheduled>> AgentScheduler::schedule(std::vector<Task> tasks) {
  std::vector<size_t> order = TRY(order_by_dependency(tasks));
  std::vector<Scheduled> done(tasks.size());
  std::unordered_map<std::string, bool> agent_known;
  std::unordered_map<std::string, Dependency> looked_up;
  for (size_t index : order) {
    Task& task = tasks[index];
    if (std::optional<Task> existing = TRY(txn_.find_task(task.id))) {
      if (!same_submission(*existing, task))
        return fail(ErrorCode::failed, "task " + task.id + " already exists with other content",
                    "use another id, or look at it with: fabric status " + task.id);
      done[index] = {std::move(*existing), true};
      continue;
    }
    auto [known, fresh] = agent_known.try_emplace(task.agent, false);
    if (fresh) known->second = TRY(txn_.find_agent(task.agent)).has_value();
    if (!known->second)
      return fail(ErrorCode::not_found, "agent " + task.agent + " not found",
                  "list agents with: fabric agents");
    std::vector<const Dependency*> dependencies;
    dependencies.reserve(task.depends_on.size());
    for (const std::string& id : task.depends_on) {
      auto [at, first_time] = looked_up.try_emplace(id);
      if (first_time) {
        std::optional<Task> found = TRY(txn_.find_task(id));
        if (!found)
          return fail(ErrorCode::not_found,
                      "dependency " + id + " of task " + task.id + " not found");
        at->second = dependency_of(*found);
      }
      dependencies.push_back(&at->second);
    }
    TRY_STATUS(add(task, dependencies));
    done[index] = {std::move(task), false};
  }
  return done;
}

Status AgentScheduler::add(Task& task, const std::vector<const Dependency*>& dependencies) {
  task.created_at = now_;
  task.state = TaskState::pending;
  task.reason = Reason::queued;
  std::vector<uint64_t> open;
  const Dependency* failed = nullptr;
  for (const Dependency* dependency : dependencies) {
    if (!is_terminal(dependency->state))
      open.push_back(dependency->sequence);
    else if (dependency->state != TaskState::completed && !failed)
      failed = dependency;
  }
  if (failed) {
    task.state = fate_of_dependents(failed->state);
    task.reason = Reason::dependency;
    task.detail = failed->why;
    task.finished_at = now_;
    return txn_.add_task(task, {});
  }
  if (!open.empty()) {
    task.waiting_on = static_cast<uint32_t>(open.size());
    task.reason = Reason::dependency;
  } else {
    touch(task.agent);
  }
  return txn_.add_task(task, open);
}

Result<std::optional<Task>> AgentScheduler::claim(const Agent& agent) {
  std::optional<uint64_t> next = TRY(txn_.next_ready(agent.number));
  if (!next) return std::optional<Task>();
  std::optional<Task> task = TRY(txn_.find_task(*next));
  if (!task)
    return fail(ErrorCode::failed, "the ready queue names a task that is not in the store",
                "check the store with: fabric store check");
  task->state = TaskState::running;
  task->reason = Reason::none;
  task->detail.clear();
  task->attempt += 1;
  task->attempt_id = TRY(txn_.next_unique());
  task->started_at = now_;
  TRY_STATUS(txn_.save_task(*task));
  return task;
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
  bool stop_was_asked = task->reason == Reason::user || task->reason == Reason::agent_gone;
  if (!outcome.result.head.empty() || !outcome.result.whole)
    TRY_STATUS(txn_.save_result(sequence, outcome.result));
  if (stop_was_asked)
    TRY_STATUS(end(*task, TaskState::cancelled, task->reason, task->detail));
  else
    TRY_STATUS(end(*task, outcome.state, outcome.reason, outcome.detail));
  touch(task->agent);
  return task;
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
                                                    Requeue why, std::string detail,
                                                    uint32_t max_lost) {
  std::optional<Task> task = TRY(txn_.find_task(sequence));
  if (!task || task->state != TaskState::running || task->attempt_id != attempt_id)
    return std::optional<Task>();
  touch(task->agent);
  if (task->reason == Reason::user || task->reason == Reason::agent_gone) {
    TRY_STATUS(end(*task, TaskState::cancelled, task->reason, task->detail));
    return task;
  }
  if (why == Requeue::lost && ++task->lost_attempts >= max_lost) {
    TRY_STATUS(end(*task, TaskState::failed, Reason::lost, std::move(detail)));
    return task;
  }
  task->state = TaskState::pending;
  task->reason = Reason::queued;
  task->detail = std::move(detail);
  task->started_at = {};
  TRY_STATUS(txn_.save_task(*task));
  return task;
}

Status AgentScheduler::end(Task& task, TaskState state, Reason reason, std::string detail,
                           std::vector<std::string>* dependents) {
  task.state = state;
  task.reason = reason;
  task.detail = std::move(detail);
  task.finished_at = now_;
  TRY_STATUS(txn_.save_task(task));
  return settle_dependents(task, dependents);
}

Status AgentScheduler::settle_dependents(const Task& ended, std::vector<std::string>* cancelled) {
  // Breadth first, without recursion: chains may be long.
  std::deque<Dependency> queue{dependency_of(ended)};
  for (; !queue.empty(); queue.pop_front()) {
    const Dependency& source = queue.front();
    for (uint64_t sequence : TRY(txn_.dependents(source.sequence))) {
      TRY_STATUS(txn_.remove_edge(source.sequence, sequence));
      std::optional<Task> dependent = TRY(txn_.find_task(sequence));
      if (!dependent || is_terminal(dependent->state)) continue;
      if (source.state == TaskState::completed) {
        if (dependent->waiting_on > 0) dependent->waiting_on -= 1;
        if (dependent->waiting_on == 0) {
          dependent->reason = Reason::queued;
          touch(dependent->agent);
        }
        TRY_STATUS(txn_.save_task(*dependent));
        continue;
      }
      dependent->state = fate_of_dependents(source.state);
      dependent->reason = Reason::dependency;
      dependent->detail = source.why;
      dependent->waiting_on = 0;
      dependent->finished_at = now_;
      TRY_STATUS(txn_.save_task(*dependent));
      queue.push_back(dependency_of(*dependent));
      if (cancelled) cancelled->push_back(std::move(dependent->id));
    }
  }
  return {};
}

Result<AgentScheduler::Cancelled> AgentScheduler::cancel(std::string_view id) {
  std::optional<Task> task = TRY(txn_.find_task(id));
  if (!task) return no_such_task(id);
  if (is_terminal(task->state))
    return fail(ErrorCode::failed,
                "task " + task->id + " is already " + std::string(to_string(task->state)));
  Cancelled done;
  done.was = task->state;
  if (task->state == TaskState::running) {
    // Written before anything is signalled: whoever supervises next goes on with the stop.
    task->reason = Reason::user;
    TRY_STATUS(txn_.save_task(*task));
  } else {
    task->state = TaskState::cancelled;
    task->reason = Reason::user;
    task->finished_at = now_;
    TRY_STATUS(txn_.save_task(*task));
    TRY_STATUS(settle_dependents(*task, &done.dependents));
    touch(task->agent);
  }
  done.task = std::move(*task);
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
  gone.cancelled += dependents.size();
  for (uint64_t sequence : TRY(txn_.running_tasks(agent.number))) {
    std::optional<Task> task = TRY(txn_.find_task(sequence));
    if (!task) continue;
    if (task->reason != Reason::user) {
      task->reason = Reason::agent_gone;
      task->detail = detail;
      TRY_STATUS(txn_.save_task(*task));
    }
    gone.running.push_back(std::move(*task));
  }
  return gone;
}

Result<Task> AgentScheduler::get_status(std::string_view id) const {
  std::optional<Task> task = TRY(txn_.find_task(id));
  if (!task) return no_such_task(id);
  return *task;
}

Result<std::vector<Task>> AgentScheduler::list_pending(const Agent& agent, size_t limit) const {
  std::vector<Task> tasks;
  for (uint64_t sequence : TRY(txn_.pending_tasks(agent.number, limit))) {
    std::optional<Task> task = TRY(txn_.find_task(sequence));
    if (task) tasks.push_back(std::move(*task));
  }
  return tasks;
}

}  // namespace fabric
