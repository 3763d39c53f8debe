// SPDX-License-Identifier: Apache-2.0
// Tasks that come again and again. Each run has the id ID.TIME and is scheduled in the transaction
// that moves `due` on: so it is scheduled once, whatever dies, and whatever the clock does.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/id.hpp"
#include "scheduler/agent_scheduler.hpp"
#include "scheduler/cron.hpp"
#include "scheduler/task_lines.hpp"

namespace fabric {
namespace {

// A run that is late by less than this was not missed: the supervisor was busy, or starting.
constexpr Duration k_on_time = Duration::seconds(60);
// Of one recurring task in one step, when all missed runs are to be made up.
constexpr size_t k_most_runs = 1000;
// Missed runs are counted as far as this.
constexpr size_t k_most_counted = 100000;

Result<TimeZone> zone_of(const Recurring& recurring) {
  return recurring.timezone.empty() ? TimeZone::local() : TimeZone::load(recurring.timezone);
}

Result<Task> task_of(const Recurring& recurring) {
  TaskLineContext context;
  context.request_id = "run";
  context.user = recurring.user;
  context.correlation_id = recurring.correlation_id;
  std::vector<Task> tasks = TRY(parse_task_lines(recurring.line, context));
  if (tasks.size() != 1) return fail(ErrorCode::usage, "a recurring task is one line");
  return std::move(tasks[0]);
}

}  // namespace

Status AgentScheduler::add_recurring(Recurring recurring) {
  if (recurring.id.size() > k_max_id_length - k_run_suffix)
    return fail(ErrorCode::usage, "the id of a recurring task has at most " +
                                      std::to_string(k_max_id_length - k_run_suffix) +
                                      " characters: each run adds its time to it");
  if (TRY(txn_.find_recurring(recurring.id)) || TRY(txn_.find_task(recurring.id)))
    return fail(ErrorCode::failed, "task " + recurring.id + " already exists",
                "end it first with: fabric cancel " + recurring.id);
  const CronExpression expression = TRY(CronExpression::parse(recurring.every));
  const TimeZone zone = TRY(zone_of(recurring));
  Task task = TRY(task_of(recurring));
  task.id = run_id(recurring, now_);
  if (task.share.empty()) task.share = task.user;
  TRY_STATUS(check_task(task));
  TRY_STATUS(find_queue(task));
  recurring.created_at = now_;
  const std::optional<WallTime> due = expression.next(now_, zone, now_);
  if (!due) return fail(ErrorCode::usage, "'" + recurring.every + "' never comes");
  recurring.due = *due;
  TRY_STATUS(txn_.save_recurring(recurring));
  Event event;
  event.kind = EventKind::recurring_added;
  event.at = now_;
  event.task = recurring.id;
  event.agent = task.agent;
  event.detail = recurring.every + ", first at " + to_rfc3339(recurring.due);
  return txn_.add_event(event);
}

Result<bool> AgentScheduler::remove_recurring(std::string_view id) {
  if (!TRY(txn_.find_recurring(id))) return false;
  TRY_STATUS(txn_.remove_recurring(id));
  Event event;
  event.kind = EventKind::recurring_removed;
  event.at = now_;
  event.task = std::string(id);
  TRY_STATUS(txn_.add_event(event));
  return true;
}

Result<std::optional<WallTime>> AgentScheduler::next_recurring(const store::ReadTxn& txn) {
  std::optional<WallTime> next;
  for (const Recurring& recurring : TRY(txn.list_recurring()))
    if (recurring.due.set() && (!next || recurring.due < *next)) next = recurring.due;
  return next;
}

Result<size_t> AgentScheduler::tick_recurring() {
  size_t decided = 0;
  for (Recurring& recurring : TRY(txn_.list_recurring())) {
    if (!recurring.due.set() || recurring.due > now_) continue;
    TRY_STATUS(run_recurring(recurring));
    ++decided;
  }
  return decided;
}

Status AgentScheduler::run_recurring(Recurring& recurring) {
  const Result<CronExpression> parsed = CronExpression::parse(recurring.every);
  if (!parsed) {
    // A newer fabric understood it. It stands in the list and says why it does not run.
    recurring.due = {};
    recurring.detail = parsed.error().message;
    return txn_.save_recurring(recurring);
  }
  const CronExpression& expression = *parsed;
  Result<TimeZone> zone = zone_of(recurring);
  // A zone that was uninstalled since: better at another hour than not at all.
  const TimeZone& in_zone = zone ? *zone : *(zone = TimeZone::utc());
  std::vector<WallTime> due{recurring.due};
  for (size_t i = 0; i < k_most_counted; ++i) {
    const auto next = expression.next(due.back(), in_zone, recurring.created_at);
    if (!next || *next > now_) break;
    due.push_back(*next);
  }
  size_t first = due.size() - 1;  // of those that are made up
  if (recurring.missed == MissedRuns::all)
    first = due.size() > k_most_runs ? due.size() - k_most_runs : 0;
  if (recurring.missed == MissedRuns::skip && now_ - due.back() > k_on_time) first = due.size();
  if (first > 0) {
    recurring.missed_runs += first;
    Event event;
    event.kind = EventKind::recurring_missed;
    event.at = now_;
    event.task = recurring.id;
    event.detail = std::to_string(first) + (first == 1 ? " run" : " runs") + ", the first at " +
                   to_rfc3339(due.front());
    TRY_STATUS(txn_.add_event(event));
  }
  recurring.detail.clear();
  for (size_t i = first; i < due.size(); ++i) TRY_STATUS(schedule_run(recurring, due[i]));
  const WallTime after = std::max(now_, due.back());
  recurring.due = expression.next(after, in_zone, recurring.created_at).value_or(WallTime{});
  if (!recurring.due.set()) {
    TRY(remove_recurring(recurring.id));
    return {};
  }
  return txn_.save_recurring(recurring);
}

// What cannot be scheduled (its agent is gone, the queue is full) is a missed run, and says why.
Status AgentScheduler::schedule_run(Recurring& recurring, WallTime due) {
  Task task = TRY(task_of(recurring));
  task.id = run_id(recurring, due);
  store::WriteTxn nested = TRY(txn_.nested());
  AgentScheduler scheduler(nested, now_, rules_);
  Status scheduled;
  if (Result<std::vector<Scheduled>> done = scheduler.schedule({std::move(task)}); !done)
    scheduled = fail(done.error());
  if (scheduled) {
    recurring.last_run = due;
    recurring.runs += 1;
    return nested.commit();
  }
  recurring.missed_runs += 1;
  recurring.detail = scheduled.error().message;
  { const store::WriteTxn dropped = std::move(nested); }
  Event event;
  event.kind = EventKind::recurring_missed;
  event.at = now_;
  event.task = recurring.id;
  event.detail = recurring.detail;
  return txn_.add_event(event);
}

}  // namespace fabric
