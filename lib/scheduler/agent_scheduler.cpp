// SPDX-License-Identifier: Apache-2.0
#include "scheduler/agent_scheduler.hpp"

#include <algorithm>
#include <set>

#include "model/references.hpp"
#include "scheduler/dependencies.hpp"

namespace fabric {

AgentScheduler::Dependency AgentScheduler::dependency_of(const Task& task) {
  // A chain names the ancestor that really failed, not the link next to it.
  if (task.reason == Reason::dependency && !task.detail.empty())
    return {task.sequence, task.state, task.lane.level, task.detail};
  return {task.sequence, task.state, task.lane.level,
          "dependency " + task.id + " " + std::string(to_string(task.state))};
}

Result<std::vector<Scheduled>> AgentScheduler::schedule(std::vector<Task> tasks) {
  std::vector<size_t> order = TRY(order_by_dependency(tasks));
  std::vector<Scheduled> done(tasks.size());
  for (size_t index : order) {
    Task& task = tasks[index];
    if (task.share.empty()) task.share = task.user;
    if (std::optional<Task> existing = TRY(txn_.find_task(task.id))) {
      if (!same_submission(*existing, task))
        return fail(ErrorCode::failed, "task " + task.id + " already exists with other content",
                    "use another id, or look at it with: fabric status " + task.id);
      done[index] = {std::move(*existing), true};
      continue;
    }
    TRY_STATUS(check_task(task));
    TRY_STATUS(find_queue(task));
    const std::vector<Dependency*> dependencies = TRY(dependencies_of(task));
    TRY_STATUS(add(task, dependencies));
    done[index] = {std::move(task), false};
  }
  return done;
}

Status AgentScheduler::check_task(const Task& task) const {
  if (TRY(txn_.find_recurring(task.id)))
    return fail(ErrorCode::failed, "task " + task.id + " already exists: it is a recurring task",
                "use another id");
  if (task.deadline.set() && task.deadline <= now_)
    return fail(ErrorCode::usage, "the deadline of task " + task.id + " has passed already");
  for (const auto& [label, count] : task.slots) {
    const auto capacity =
        std::find_if(rules_.label_slots.begin(), rules_.label_slots.end(),
                     [&label = label](const auto& slots) { return slots.first == label; });
    const uint32_t has = capacity == rules_.label_slots.end() ? 0 : capacity->second;
    if (count > has)
      return fail(ErrorCode::usage,
                  "task " + task.id + " needs " + std::to_string(count) + " slots of " + label +
                      ", and the workspace has " + std::to_string(has),
                  "set it in fabric.toml: [scheduler] slots = { " + label + " = " +
                      std::to_string(count) + " }");
  }
  for (const std::string& id : TRY(referenced_tasks(task.payload)))
    if (std::find(task.depends_on.begin(), task.depends_on.end(), id) == task.depends_on.end())
      return fail(ErrorCode::usage,
                  "the payload of task " + task.id + " refers to task " + id +
                      ", which is not among its dependencies",
                  "add it with --after " + id);
  return {};
}

// The queue of its agent, or of the route that its requirements make.
Status AgentScheduler::find_queue(Task& task) {
  if (task.require.empty()) {
    auto [known, fresh] = agents_.try_emplace(task.agent);
    if (fresh) known->second = TRY(txn_.find_agent(task.agent));
    if (!known->second)
      return fail(ErrorCode::not_found, "agent " + task.agent + " not found",
                  "list agents with: fabric agents");
    task.lane.queue = known->second->number;
    depths_.try_emplace(task.lane.queue, Depth{TRY(txn_.counts(task.lane.queue)).pending,
                                               known->second->definition.max_queue_depth});
  } else {
    const std::string text = to_string(task.require);
    auto [known, fresh] = routes_.try_emplace(text, 0);
    if (fresh) {
      const std::vector<Agent> agents = TRY(txn_.list_agents());
      if (std::none_of(agents.begin(), agents.end(),
                       [&](const Agent& a) { return satisfies(a.definition, task.require); }))
        return fail(ErrorCode::not_found, "no agent has " + text,
                    "list agents with what they have: fabric agents --json=id,model,tools,labels");
      known->second = TRY(txn_.number_of(store::NameKind::route, text));
    }
    task.lane.queue = known->second;
    task.agent.clear();
    depths_.try_emplace(task.lane.queue, Depth{});
  }
  task.lane.share = TRY(txn_.number_of(store::NameKind::share, task.share));
  task.lane.level = task.priority;
  task.lane.slot_class =
      task.slots.empty() ? 0
                         : TRY(txn_.number_of(store::NameKind::slot_class, to_string(task.slots)));
  return {};
}

// `depths_` counts along, so that a batch costs two look-ups and not two for each task.
Status AgentScheduler::check_depth(const Task& task, Depth::Of of) {
  auto [whole, fresh] = depths_.try_emplace(0);
  if (fresh) whole->second = {TRY(txn_.counts()).pending, rules_.max_pending_tasks};
  Depth& workspace = whole->second;
  Depth& queue = depths_.at(task.lane.queue);
  if (queue.limit != 0 && queue.pending >= queue.limit) return full(task, queue, false);
  if (of == Depth::Of::added && workspace.limit != 0 && workspace.pending >= workspace.limit)
    return full(task, workspace, true);
  ++queue.pending;
  ++workspace.pending;
  return {};
}

Result<std::optional<uint64_t>> AgentScheduler::oldest_pending(QueueNumber queue) const {
  const std::vector<uint64_t> first = TRY(txn_.pending_tasks(queue, 1));
  return first.empty() ? std::optional<uint64_t>() : first[0];
}

// Of the workspace: the queues of its agents and routes.
Result<std::optional<uint64_t>> AgentScheduler::oldest_pending() const {
  std::vector<QueueNumber> queues;
  for (const Agent& agent : TRY(txn_.list_agents())) queues.push_back(agent.number);
  for (const store::Name& route : TRY(txn_.names(store::NameKind::route)))
    queues.push_back(route.number);
  std::optional<uint64_t> oldest;
  for (QueueNumber queue : queues) {
    const std::optional<uint64_t> first = TRY(oldest_pending(queue));
    if (first && (!oldest || *first < *oldest)) oldest = first;
  }
  return oldest;
}

Status AgentScheduler::full(const Task& task, const Depth& depth, bool workspace) const {
  std::string message = workspace ? "the workspace" : "the queue of agent " + task.agent;
  message += " is full: " + std::to_string(depth.pending) + " tasks are pending, the limit is " +
             std::to_string(depth.limit);
  const std::optional<uint64_t> oldest =
      TRY(workspace ? oldest_pending() : oldest_pending(task.lane.queue));
  if (oldest)
    if (const std::optional<Task> first = TRY(txn_.find_task(*oldest)))
      message += "; the oldest is " + first->id + ", since " + human(now_ - first->created_at);
  return fail(ErrorCode::queue_full, message,
              workspace ? "wait with --wait-for-space DURATION, or raise max_pending_tasks"
                        : "wait with --wait-for-space DURATION, or raise max_queue_depth");
}

Result<std::vector<AgentScheduler::Dependency*>> AgentScheduler::dependencies_of(const Task& task) {
  std::vector<Dependency*> dependencies;
  dependencies.reserve(task.depends_on.size());
  for (const std::string& id : task.depends_on) {
    auto [at, first_time] = looked_up_.try_emplace(id);
    if (first_time) {
      std::optional<Task> found = TRY(txn_.find_task(id));
      if (!found)
        return fail(ErrorCode::not_found,
                    "dependency " + id + " of task " + task.id + " not found");
      at->second = dependency_of(*found);
    }
    dependencies.push_back(&at->second);
  }
  return dependencies;
}

// Whether dependencies that have ended decide about the task already: true, and it has ended too.
Result<bool> AgentScheduler::settle_at_once(Task& task,
                                            const std::vector<Dependency*>& dependencies,
                                            std::vector<uint64_t>& open) const {
  const Dependency* failed = nullptr;
  bool one_completed = false;
  for (const Dependency* dependency : dependencies) {
    if (!is_terminal(dependency->state))
      open.push_back(dependency->sequence);
    else if (dependency->state == TaskState::completed)
      one_completed = true;
    else if (failed == nullptr)
      failed = dependency;
  }
  if (task.after == AfterPolicy::any && one_completed) open.clear();
  const bool hopeless =
      failed != nullptr && (task.after == AfterPolicy::success ||
                            (task.after == AfterPolicy::any && open.empty() && !one_completed));
  if (!hopeless) return false;
  open.clear();
  task.state = failed->state == TaskState::cancelled ? TaskState::cancelled : TaskState::failed;
  task.reason = Reason::dependency;
  task.detail = failed->why;
  task.finished_at = now_;
  return true;
}

Status AgentScheduler::add(Task& task, const std::vector<Dependency*>& dependencies) {
  task.created_at = now_;
  task.state = TaskState::pending;
  std::vector<uint64_t> open;
  if (TRY(settle_at_once(task, dependencies, open))) {
    TRY_STATUS(txn_.add_task(task, {}));
    TRY_STATUS(note(EventKind::task_scheduled, task));
    return note(
        task.state == TaskState::cancelled ? EventKind::task_cancelled : EventKind::task_failed,
        task, task.detail);
  }
  TRY_STATUS(check_depth(task));
  task.waiting_on = static_cast<uint32_t>(open.size());
  TRY_STATUS(decide_place(task));
  TRY_STATUS(txn_.add_task(task, open));
  TRY_STATUS(took_place(task));
  TRY_STATUS(pin_results(task, true));
  TRY_STATUS(note(EventKind::task_scheduled, task));
  if (open.empty()) return {};
  std::vector<uint64_t> less_urgent;
  for (Dependency* dependency : dependencies)
    if (!is_terminal(dependency->state) && dependency->level > task.lane.level) {
      less_urgent.push_back(dependency->sequence);
      dependency->level = task.lane.level;
    }
  return raise(std::move(less_urgent), task.lane.level);
}

// What an urgent task waits for is as urgent itself, and what that waits for; also what runs, since
// it may come back to its queue.
Status AgentScheduler::raise(std::vector<uint64_t> open, Priority level) {
  std::set<std::string> keys;
  while (!open.empty()) {
    const uint64_t next = open.back();
    open.pop_back();
    std::optional<Task> task = TRY(txn_.find_task(next));
    if (!task || is_terminal(task->state) || task->lane.level <= level) continue;
    task->lane.level = level;
    TRY_STATUS(txn_.save_task(*task));
    if (!task->exclusive.empty()) keys.insert(task->exclusive);
    if (task->waiting_on == 0) continue;
    for (const std::string& id : task->depends_on)
      if (const std::optional<Task> before = TRY(txn_.find_task(id)))
        open.push_back(before->sequence);
  }
  for (const std::string& key : keys) TRY_STATUS(give_way(key));
  return {};
}

Result<Task> AgentScheduler::get_status(std::string_view id) const {
  std::optional<Task> task = TRY(txn_.find_task(id));
  if (!task)
    return fail(ErrorCode::not_found, "task " + std::string(id) + " not found",
                "list tasks with: fabric tasks");
  return *std::move(task);
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
