// SPDX-License-Identifier: Apache-2.0
// What people change by hand: the place of a pending task, another try, pauses.
#include <algorithm>

#include "base/id.hpp"
#include "base/json.hpp"
#include "scheduler/agent_scheduler.hpp"

namespace fabric {
namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  if (from == to) return;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

std::string retry_id(const std::string& id, uint64_t sequence) {
  const std::string end = ".r" + std::to_string(sequence);
  return id.substr(0, k_max_id_length - end.size()) + end;
}

Result<Task> AgentScheduler::change(std::string_view id, const Change& change) {
  Task task = TRY(get_status(id));
  if (task.state != TaskState::pending)
    return fail(ErrorCode::failed,
                "task " + task.id + " is " + std::string(to_string(task.state)) +
                    "; only pending tasks can be changed",
                is_terminal(task.state) ? "run it again with: fabric retry " + task.id : "");
  std::string what;
  if (change.priority) {
    task.priority = task.lane.level = *change.priority;
    for (uint64_t sequence : TRY(txn_.dependents(task.sequence)))
      if (const std::optional<Task> waits = TRY(txn_.find_task(sequence)))
        task.lane.level = std::min(task.lane.level, waits->lane.level);
    what += "priority " + std::string(to_string(*change.priority));
  }
  if (change.agent && *change.agent != task.agent) {
    task.agent = *change.agent;
    task.require.clear();
    const Lane before = task.lane;
    TRY_STATUS(find_queue(task));
    TRY_STATUS(check_depth(task, Depth::Of::moved));
    task.lane.level = before.level;
    what += (what.empty() ? "" : ", ") + ("agent " + task.agent);
  }
  if (change.payload) {
    TRY_STATUS(json::validate(*change.payload));
    TRY_STATUS(pin_results(task, false));
    task.payload = *change.payload;
    TRY_STATUS(check_task(task));
    what += (what.empty() ? "" : ", ") + std::string("payload");
  }
  TRY_STATUS(txn_.save_task(task));
  if (change.payload) {
    TRY_STATUS(txn_.save_payload(task.sequence, task.payload));
    TRY_STATUS(pin_results(task, true));
  }
  TRY_STATUS(note(EventKind::task_changed, task, what));
  if (!change.priority) return task;
  if (task.waiting_on > 0) {
    std::vector<uint64_t> before;
    for (const std::string& dependency : task.depends_on)
      if (const std::optional<Task> other = TRY(txn_.find_task(dependency)))
        before.push_back(other->sequence);
    TRY_STATUS(raise(std::move(before), task.lane.level));
  }
  if (!task.exclusive.empty()) TRY_STATUS(give_way(task.exclusive));
  return get_status(id);
}

// The task that repeats this one, or what repeats that; "" when it is gone.
Result<std::string> AgentScheduler::last_try(const std::string& id) const {
  std::optional<Task> task = TRY(txn_.find_task(id));
  while (task && !task->retried_as.empty()) task = TRY(txn_.find_task(task->retried_as));
  return task ? task->id : std::string();
}

Result<Task> AgentScheduler::retry(std::string_view id) {
  Task old = TRY(get_status(id));
  if (!is_terminal(old.state))
    return fail(ErrorCode::failed,
                "task " + old.id + " has not ended: it is " + std::string(to_string(old.state)));
  if (old.state == TaskState::completed)
    return fail(ErrorCode::failed, "task " + old.id + " has completed",
                "schedule it again under another id");
  if (!old.retried_as.empty())
    return fail(ErrorCode::failed, "task " + old.id + " was retried as " + old.retried_as,
                "retry that one: fabric retry " + old.retried_as);
  Task task;
  task.id = retry_id(old.id, old.sequence);
  task.agent = old.require.empty() ? old.agent : "";
  task.type = old.type;
  task.payload = old.payload;
  task.priority = old.priority;
  task.metadata = old.metadata;
  task.after = old.after;
  task.timeout = old.timeout;
  task.no_progress_timeout = old.no_progress_timeout;
  task.queue_ttl = old.queue_ttl;
  if (old.deadline > now_) task.deadline = old.deadline;
  task.retry = old.retry;
  task.slots = old.slots;
  task.share = old.share;
  task.exclusive = old.exclusive;
  task.group = old.group;
  task.require = old.require;
  task.user = old.user;
  task.correlation_id = old.correlation_id;
  task.traceparent = old.traceparent;
  task.retry_of = old.id;
  for (const std::string& dependency : old.depends_on) {
    const std::string now = TRY(last_try(dependency));
    if (now.empty()) continue;  // retention took it
    replace_all(task.payload, "{tasks." + dependency + ".result", "{tasks." + now + ".result");
    if (std::find(task.depends_on.begin(), task.depends_on.end(), now) == task.depends_on.end())
      task.depends_on.push_back(now);
  }
  std::vector<Scheduled> scheduled = TRY(schedule({std::move(task)}));
  if (is_terminal(scheduled[0].task.state))
    return fail(ErrorCode::failed,
                "task " + old.id + " would fail again: " + scheduled[0].task.detail,
                "retry what it waits for first");
  old.dead = false;
  old.retried_as = scheduled[0].task.id;
  TRY_STATUS(txn_.save_task(old));
  return std::move(scheduled[0].task);
}

Result<bool> AgentScheduler::pause(Pause pause) {
  std::vector<Pause> pauses = TRY(txn_.pauses());
  if (std::any_of(pauses.begin(), pauses.end(),
                  [&](const Pause& p) { return p.same_target(pause); }))
    return false;
  if (pause.kind == PauseKind::agent && !TRY(txn_.find_agent(pause.name)))
    return fail(ErrorCode::not_found, "agent " + pause.name + " not found",
                "list agents with: fabric agents");
  if (pause.kind == PauseKind::priority) TRY(parse_priority(pause.name));
  pause.since = now_;
  Event event;
  event.kind = EventKind::paused;
  event.at = now_;
  event.detail = describe(pause);
  if (pause.kind == PauseKind::agent) event.agent = pause.name;
  pauses.push_back(std::move(pause));
  TRY_STATUS(txn_.save_pauses(pauses));
  TRY_STATUS(txn_.add_event(event));
  return true;
}

Result<bool> AgentScheduler::resume(const Pause& target) {
  std::vector<Pause> pauses = TRY(txn_.pauses());
  const size_t before = pauses.size();
  std::erase_if(pauses, [&](const Pause& p) { return p.same_target(target); });
  if (pauses.size() == before) return false;
  TRY_STATUS(txn_.save_pauses(pauses));
  Event event;
  event.kind = EventKind::resumed;
  event.at = now_;
  event.detail = describe(target);
  if (target.kind == PauseKind::agent) event.agent = target.name;
  TRY_STATUS(txn_.add_event(event));
  return true;
}

}  // namespace fabric
