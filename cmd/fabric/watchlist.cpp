// SPDX-License-Identifier: Apache-2.0
#include "fabric/watchlist.hpp"

#include "fabric/session.hpp"
#include "fabric/task_exit.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

bool is_end(EventKind kind) {
  return kind == EventKind::task_completed || kind == EventKind::task_failed ||
         kind == EventKind::task_cancelled || kind == EventKind::task_timed_out;
}

}  // namespace

Result<Watchlist> Watchlist::open(const store::ReadTxn& txn, const WaitOptions& options) {
  Watchlist list(options.what);
  list.cursor_ = TRY(txn.last_event());
  for (const std::string& id : options.ids) list.add(TRY(require_task(txn, id)));
  if (options.group.empty()) return list;
  const std::vector<uint64_t> group = TRY(txn.group_tasks(options.group));
  if (group.empty())
    return fail(ErrorCode::not_found, "no task is in group " + printable(options.group),
                "'fabric tasks' lists the tasks of this workspace");
  for (uint64_t sequence : group)
    if (const auto task = TRY(txn.find_task(sequence))) list.add(*task);
  return list;
}

void Watchlist::add(const Task& task) {
  const auto [at, fresh] = by_sequence_.try_emplace(task.sequence, tasks_.size());
  order_.push_back(at->second);
  if (!fresh) return;
  tasks_.push_back({task.sequence, task.id, TaskState::pending, 0, {}});
  ++open_;
  if (is_terminal(task.state)) count(at->second, task);
}

void Watchlist::count(size_t index, const Task& task) {
  Waited::Ended& ended = tasks_[index];
  ended.state = task.state;
  ended.exit_code = exit_code_of(task);
  ended.finished_at = task.finished_at;
  --open_;
  if (task.state != TaskState::completed) ++failed_;
  decide(index);
}

// The first by time, of those that had ended before too.
void Watchlist::decide(size_t index) {
  if (what_ == WaitFor::all) return;
  if (what_ == WaitFor::first_failure && tasks_[index].state == TaskState::completed) return;
  if (!decisive_ || tasks_[index].finished_at < tasks_[*decisive_].finished_at) decisive_ = index;
}

Status Watchlist::ended(const store::ReadTxn& txn, size_t index, TaskState state) {
  if (is_terminal(tasks_[index].state)) return {};
  const auto found = TRY(txn.find_task(tasks_[index].sequence));
  Task gone;  // retention was quick: the event still says how it ended
  gone.state = state;
  count(index, found ? *found : gone);
  return {};
}

Status Watchlist::look_at_all(const store::ReadTxn& txn) {
  for (size_t i = 0; i < tasks_.size(); ++i) {
    if (is_terminal(tasks_[i].state)) continue;
    const auto task = TRY(txn.find_task(tasks_[i].sequence));
    if (!task) return fail(ErrorCode::not_found, "task " + tasks_[i].id + " is not there any more");
    if (is_terminal(task->state)) count(i, *task);
  }
  return {};
}

Status Watchlist::look(const store::ReadTxn& txn) {
  constexpr size_t k_at_once = 1000;
  const uint64_t last = TRY(txn.last_event());
  if (last == cursor_) return {};
  // Events that were removed before they were read: while this command was stopped, for example.
  if (const uint64_t first = TRY(txn.first_event()); first == 0 || first > cursor_ + 1) {
    cursor_ = last;
    return look_at_all(txn);
  }
  while (cursor_ < last && !satisfied()) {
    const std::vector<Event> events = TRY(txn.events(cursor_, k_at_once));
    if (events.empty()) break;
    for (const Event& event : events) {
      cursor_ = event.sequence;
      if (!is_end(event.kind)) continue;
      const auto watched = by_sequence_.find(event.task_sequence);
      if (watched != by_sequence_.end()) TRY_STATUS(ended(txn, watched->second, event.state));
    }
  }
  return {};
}

bool Watchlist::satisfied() const { return open_ == 0 || decisive_; }

Waited Watchlist::take() {
  Waited waited;
  if (decisive_)
    waited.tasks.push_back(std::move(tasks_[*decisive_]));
  else
    for (size_t index : order_) waited.tasks.push_back(tasks_[index]);
  for (const Waited::Ended& task : waited.tasks)
    if (waited.exit_code == 0) waited.exit_code = task.exit_code;
  return waited;
}

}  // namespace fabric::cmd
