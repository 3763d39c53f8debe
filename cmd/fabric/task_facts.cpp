// SPDX-License-Identifier: Apache-2.0
// One task with all that is known of it.
#include <algorithm>

#include "base/size.hpp"
#include "fabric/text.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {
namespace {

// "t1, t2 and 3 more": the dependencies that have not ended.
Result<std::string> open_dependencies(const store::ReadTxn& txn, const Task& task) {
  constexpr size_t k_named = 5;
  std::vector<std::string> named;
  size_t open = 0;
  for (const std::string& id : task.depends_on) {
    const auto dependency = TRY(txn.find_task(id));
    if (!dependency || is_terminal(dependency->state)) continue;
    if (++open <= k_named) named.push_back(id);
  }
  std::string text = join(named, ", ");
  if (open > k_named) text += " and " + std::to_string(open - k_named) + " more";
  return text;
}

std::string_view waits_for_dependencies(AfterPolicy policy) {
  switch (policy) {
    case AfterPolicy::success:
      return "waits for ";
    case AfterPolicy::finish:
      return "waits for the end of ";
    case AfterPolicy::any:
      return "waits for one of ";
  }
  return "waits for ";
}

Result<std::string> waits_for(const store::ReadTxn& txn, const Task& task, WallTime now) {
  if (task.state != TaskState::pending) return std::string();
  if (task.reason == Reason::dependency)
    return std::string(waits_for_dependencies(task.after)) + TRY(open_dependencies(txn, task));
  if (task.reason == Reason::not_before) {
    const std::string when = "not before " + human(task.not_before, now);
    return task.not_before > now ? when + " (in " + human(task.not_before - now) + ")" : when;
  }
  if (task.reason != Reason::exclusive) return std::string();
  const auto holder = TRY(txn.exclusive_holder(task.exclusive));
  const auto other = holder ? TRY(txn.find_task(*holder)) : std::nullopt;
  return "exclusive key " + task.exclusive +
         (other ? " is held by " + other->id : std::string(" is held by another task"));
}

std::string state_of(const TaskDetail& detail) {
  const Task& task = detail.task;
  if (detail.waits_for.empty()) return state_in_words(task);
  return "pending: " + detail.waits_for + (task.detail.empty() ? "" : "; " + task.detail);
}

std::string retries_in_words(const Task& task) {
  const RetryPolicy& retry = task.retry;
  std::string text = std::to_string(task.retries) + " of " + std::to_string(retry.limit) + " used";
  if (retry.backoff.first.ns > 0) text += ", backoff " + to_string(retry.backoff);
  if (!retry.on.empty()) text += ", on " + join(retry.on, ",");
  return text;
}

void add_limits(Facts& facts, const Task& task, WallTime now) {
  if (task.timeout.ns > 0) facts.add("timeout", human(task.timeout));
  if (task.no_progress_timeout.ns > 0)
    facts.add("no progress timeout", human(task.no_progress_timeout));
  if (task.queue_ttl.ns > 0) facts.add("queue ttl", human(task.queue_ttl));
  if (task.deadline.set()) facts.add("deadline", human(task.deadline, now));
  if (task.start_at.set()) facts.add("start at", human(task.start_at, now));
  if (task.retry.limit > 0) facts.add("retries", retries_in_words(task));
  if (!task.slots.empty()) facts.add("slots", to_string(task.slots));
  if (!task.exclusive.empty()) facts.add("exclusive", task.exclusive);
}

void add_relations(Facts& facts, const Task& task) {
  if (!task.depends_on.empty())
    facts.add("depends on",
              join(task.depends_on, " ") + (task.after == AfterPolicy::success
                                                ? ""
                                                : " (" + std::string(to_string(task.after)) + ")"));
  if (!task.group.empty()) facts.add("group", task.group);
  if (!task.retry_of.empty()) facts.add("retry of", task.retry_of);
  if (!task.retried_as.empty()) facts.add("retried as", task.retried_as);
  if (task.dead) facts.add("dead", "no retry is left; next: fabric retry " + task.id, Colour::red);
}

void add_outcome(Facts& facts, const Task& task) {
  if (is_terminal(task.state) && task.attempt > 0) {
    facts.add("result",
              human_size(task.result_bytes) + ", stderr " + human_size(task.stderr_bytes));
    facts.add("used", human(task.cpu) + " cpu, " + human_size(task.memory_peak_bytes) + " memory");
  }
  if (task.dropped_bytes > 0) facts.add("dropped", human_size(task.dropped_bytes) + " of output");
}

std::string attempt_in_words(const Attempt& attempt, WallTime now) {
  std::string text(attempt.state == TaskState::pending ? "interrupted" : to_string(attempt.state));
  std::replace(text.begin(), text.end(), '_', ' ');
  if (!attempt.detail.empty())
    text += ": " + attempt.detail;
  else if (attempt.exit_code)
    text += ": exit code " + std::to_string(*attempt.exit_code);
  else if (const auto reason = to_string(attempt.reason); !reason.empty())
    text += ": " + std::string(reason);
  text += " (" + human(attempt.ended_at, now);
  if (attempt.started_at.set()) text += " after " + human(attempt.ended_at - attempt.started_at);
  return text + (attempt.agent.empty() ? ")" : ", agent " + attempt.agent + ")");
}

}  // namespace

Result<TaskDetail> detail_of(const store::ReadTxn& txn, Task task, WallTime now) {
  TaskDetail detail;
  detail.attempts = TRY(txn.attempts(task.sequence));
  detail.waits_for = TRY(waits_for(txn, task, now));
  detail.task = std::move(task);
  return detail;
}

std::string task_facts(const TaskDetail& detail, WallTime now) {
  const Task& task = detail.task;
  Facts facts;
  facts.add("task", task.id, Colour::bold);
  if (!task.agent.empty()) facts.add("agent", task.agent);
  if (!task.require.empty()) facts.add("requires", to_string(task.require));
  if (!task.type.empty()) facts.add("type", task.type);
  facts.add("state", state_of(detail), colour_of(task.state));
  if (const std::string likely = likely_cause(task); !likely.empty())
    facts.add("likely", printable(likely), Colour::yellow);
  facts.add("priority", std::string(to_string(task.priority)));
  add_limits(facts, task, now);
  add_relations(facts, task);
  if (!task.metadata.empty()) facts.add("metadata", pairs_in_words(task.metadata));
  facts.add("payload", fit(printable(task.payload), 200));
  if (!task.user.empty()) facts.add("user", task.user);
  if (task.share != task.user) facts.add("share", task.share);
  facts.add("created", human(task.created_at, now));
  if (task.started_at.set()) facts.add("started", human(task.started_at, now));
  if (task.lease_until.set() && task.state == TaskState::running)
    facts.add("lease until", human(task.lease_until, now));
  if (task.finished_at.set()) facts.add("finished", human(task.finished_at, now));
  if (const std::string time = took(task, now); !time.empty()) facts.add("took", time);
  if (task.attempt > 1) facts.add("attempt", std::to_string(task.attempt));
  add_outcome(facts, task);
  for (const Attempt& attempt : detail.attempts)
    facts.add(attempt.late ? "late answer" : "attempt " + std::to_string(attempt.number),
              attempt_in_words(attempt, now));
  return facts.to_text();
}

}  // namespace fabric::cmd
