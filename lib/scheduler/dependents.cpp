// SPDX-License-Identifier: Apache-2.0
// What the end of a task means for those that wait for it.
#include <deque>

#include "scheduler/agent_scheduler.hpp"

namespace fabric {

Status AgentScheduler::settle_dependents(const Task& ended, std::vector<std::string>* cancelled) {
  // Breadth first, without recursion: chains may be long.
  std::deque<Dependency> queue{dependency_of(ended)};
  for (; !queue.empty(); queue.pop_front()) {
    const Dependency source = queue.front();
    std::vector<Dependency> more;
    for (uint64_t sequence : TRY(txn_.dependents(source.sequence))) {
      TRY_STATUS(txn_.remove_edge(source.sequence, sequence));
      std::optional<Task> dependent = TRY(txn_.find_task(sequence));
      if (!dependent || is_terminal(dependent->state)) continue;
      TRY_STATUS(settle_one(source, *dependent, more, cancelled));
    }
    for (Dependency& dependency : more) queue.push_back(std::move(dependency));
  }
  return {};
}

Status AgentScheduler::settle_one(const Dependency& source, Task& dependent,
                                  std::vector<Dependency>& ended,
                                  std::vector<std::string>* cancelled) {
  const bool well = source.state == TaskState::completed;
  if (dependent.waiting_on > 0) dependent.waiting_on -= 1;
  const bool release = dependent.after == AfterPolicy::any ? well : dependent.waiting_on == 0;
  const bool hopeless =
      !well && (dependent.after == AfterPolicy::success ||
                (dependent.after == AfterPolicy::any && dependent.waiting_on == 0));
  if (hopeless) {
    TRY_STATUS(forget_edges(dependent));
    dependent.state =
        source.state == TaskState::cancelled ? TaskState::cancelled : TaskState::failed;
    dependent.reason = Reason::dependency;
    dependent.detail = source.why;
    dependent.waiting_on = 0;
    dependent.finished_at = now_;
    TRY_STATUS(txn_.save_task(dependent));
    TRY_STATUS(pin_results(dependent, false));
    TRY_STATUS(note(dependent.state == TaskState::cancelled ? EventKind::task_cancelled
                                                            : EventKind::task_failed,
                    dependent, dependent.detail));
    ended.push_back(dependency_of(dependent));
    if (cancelled) cancelled->push_back(dependent.id);
    return {};
  }
  if (!release) return txn_.save_task(dependent);
  TRY_STATUS(forget_edges(dependent));
  dependent.waiting_on = 0;
  return put_in_queue(dependent);
}

// It waits for nobody any more.
Status AgentScheduler::forget_edges(const Task& dependent) {
  if (dependent.waiting_on == 0) return {};
  for (const std::string& id : dependent.depends_on)
    if (const std::optional<Task> before = TRY(txn_.find_task(id)))
      TRY_STATUS(txn_.remove_edge(before->sequence, dependent.sequence));
  return {};
}

}  // namespace fabric
