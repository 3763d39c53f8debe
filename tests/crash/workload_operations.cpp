// SPDX-License-Identifier: Apache-2.0
// What may happen to a queue, each by chance.
#include <algorithm>
#include <iterator>

#include "workload.hpp"

namespace fabric::crash {
namespace {

const std::string& any_of(const std::set<std::string>& ids, Random& random) {
  return *std::next(ids.begin(), static_cast<std::ptrdiff_t>(random.below(ids.size())));
}

// Ends and cascades earlier in the same transaction are not known yet.
Result<bool> still_pending(const store::ReadTxn& txn, const std::string& id) {
  const std::optional<Task> task = TRY(txn.find_task(id));
  return task && task->state == TaskState::pending;
}

tl::unexpected<Error> nothing() { return fail(ErrorCode::nothing_to_do, "nothing"); }

}  // namespace

Task Workload::random_task() {
  Task task;
  const std::string number = std::to_string(next_id_++);
  task.id = "t" + number;
  task.type = "work";
  task.user = "ann";
  task.payload = "{\"n\":" + number + ",\"pad\":\"" + std::string(random_.below(200), 'x') + "\"}";
  task.priority = static_cast<Priority>(random_.below(k_priority_levels));
  if (random_.percent(15))
    task.require = {{"zone", random_.percent(50) ? "x" : "y"}};
  else
    task.agent = random_.of<std::string>({"a1", "a2", "a3", "a4", "a4", "ext"});
  if (random_.percent(50)) task.share = random_.percent(50) ? "s1" : "s2";
  if (random_.percent(15)) task.exclusive = "key" + std::to_string(random_.below(3));
  if (random_.percent(15))
    task.slots = random_.of<Slots>({{{"gpu", 1}}, {{"build", 1}}, {{"build", 2}, {"gpu", 1}}});
  if (random_.percent(30)) {
    task.retry.limit = static_cast<uint32_t>(random_.between(1, 3));
    const auto pause = random_.of<const char*>({"none", "2s", "exp:1s:10s"});
    task.retry.backoff = parse_backoff(pause).value_or(Backoff{});
    if (random_.percent(30)) task.retry.on = {"exit:75", "lost"};
  }
  if (random_.percent(10))
    task.start_at = clock_.now() + Duration::seconds(static_cast<int64_t>(random_.below(20)));
  if (random_.percent(5)) task.queue_ttl = Duration::seconds(30);
  if (random_.percent(3)) task.deadline = clock_.now() + Duration::seconds(60);
  return task;
}

// Some of `ids`, and now and then a task that is there already, ended or not.
void Workload::add_dependencies(Task& task, const std::vector<std::string>& ids) {
  std::set<std::string> chosen;
  for (uint64_t n = random_.below(4); n > 0 && !ids.empty(); --n) chosen.insert(random_.of(ids));
  if (random_.percent(20) && !known_.open.empty()) chosen.insert(any_of(known_.open, random_));
  if (random_.percent(10) && !known_.ended.empty()) chosen.insert(any_of(known_.ended, random_));
  task.depends_on.assign(chosen.begin(), chosen.end());
  task.after = static_cast<AfterPolicy>(random_.below(3));
  if (!task.depends_on.empty() && random_.percent(30))
    task.payload = "{\"from\":\"{tasks." + random_.of(task.depends_on) + ".result}\"}";
}

Status Workload::submit(Draft& draft, std::vector<Task> tasks) {
  for (Scheduled& scheduled : TRY(draft.scheduler.schedule(std::move(tasks)))) {
    const std::string id = scheduled.task.id;
    draft.touched.insert(id);
    draft.steps.push_back({Step::Kind::scheduled, id, clock_.now(),
                           std::make_shared<const Task>(std::move(scheduled.task))});
  }
  return {};
}

Status Workload::schedule_one(Draft& draft) {
  Task task = random_task();
  if (random_.percent(25)) add_dependencies(task, {});
  return submit(draft, {std::move(task)});
}

Status Workload::schedule_batch(Draft& draft) {
  std::vector<Task> tasks;
  for (uint64_t n = random_.between(2, 12); n > 0; --n) tasks.push_back(random_task());
  return submit(draft, std::move(tasks));
}

Status Workload::schedule_graph(Draft& draft) {
  std::vector<Task> tasks;
  std::vector<std::string> ids;
  const std::string group = "g" + std::to_string(next_id_);
  for (uint64_t n = random_.between(3, 10); n > 0; --n) {
    Task task = random_task();
    task.group = group;
    add_dependencies(task, ids);
    ids.push_back(task.id);
    tasks.push_back(std::move(task));
  }
  std::shuffle(tasks.begin(), tasks.end(), random_.engine());
  return submit(draft, std::move(tasks));
}

Outcome Workload::random_outcome(const std::string& id) {
  Outcome outcome;
  const uint64_t chance = random_.below(100);
  if (chance < 70) {
    outcome.exit_code = 0;
    outcome.result.head = "\"" + id + " is done\"";
  } else if (chance < 92) {
    outcome.state = TaskState::failed;
    outcome.reason = Reason::exit;
    outcome.exit_code = chance < 80 ? 75 : 1;
    outcome.result.head = "half of it";
  } else {
    outcome.state = TaskState::timed_out;
    outcome.reason = Reason::timeout;
  }
  outcome.result_bytes = outcome.result.head.size();
  return outcome;
}

Status Workload::finish(Draft& draft) {
  std::vector<std::string> ids;
  for (const auto& [id, running] : known_.running)
    if (!touched_.contains(id)) ids.push_back(id);
  if (ids.empty()) return nothing();
  std::sort(ids.begin(), ids.end());  // the same in every run
  return finish_as(draft, random_.of(ids));
}

Status Workload::finish_as(Draft& draft, const std::string& id) {
  const KnownTasks::Running& running = known_.running.at(id);
  const std::optional<Task> task = TRY(draft.txn.find_task(id));
  draft.touched.insert(id);
  if (!task) {
    problems_.push_back("task " + id + ": runs, and is not in the store");
    return {};
  }
  std::optional<Task> done;
  if (external_ && running.agent == external_->definition.id) {
    if (random_.percent(10)) return nothing();  // whoever claimed it has forgotten it
    // At the very moment at which the lease runs out, too: until tick() says so it holds.
    const auto completion =
        TRY(draft.scheduler.complete(id, running.attempt_id, random_outcome(id)));
    if (!completion.late) done = completion.task;
  } else if (random_.percent(12)) {
    const auto why = static_cast<AgentScheduler::Requeue>(random_.below(3));
    done = TRY(draft.scheduler.requeue(task->sequence, running.attempt_id, why, "by chance"));
  } else {
    done = TRY(draft.scheduler.finish(task->sequence, running.attempt_id, random_outcome(id)));
  }
  if (!done) problems_.push_back("task " + id + ": the end of a running attempt was refused");
  return {};
}

// Of an attempt that is over: it must change nothing.
Status Workload::answer_late(Draft& draft) {
  if (known_.old_attempts.empty()) return nothing();
  const auto& [id, attempt] = random_.of(known_.old_attempts);
  const std::optional<Task> task = TRY(draft.txn.find_task(id));
  if (!task) return nothing();
  draft.touched.insert(id);
  if (TRY(draft.scheduler.finish(task->sequence, attempt, random_outcome(id))))
    problems_.push_back("task " + id + ": accepted the end of attempt " + std::to_string(attempt) +
                        ", which was over");
  if (TRY(draft.scheduler.requeue(task->sequence, attempt, AgentScheduler::Requeue::lost, "late")))
    problems_.push_back("task " + id + ": put back attempt " + std::to_string(attempt) +
                        ", which was over");
  if (!external_ || task->agent != external_->definition.id) return {};
  const auto completion = draft.scheduler.complete(id, attempt, random_outcome(id));
  if (completion && !completion->late)
    problems_.push_back("task " + id + ": completed by lease " + std::to_string(attempt) +
                        ", which was over");
  return {};
}

Status Workload::cancel(Draft& draft) {
  if (known_.open.empty()) return nothing();
  const std::string& id = any_of(known_.open, random_);
  const bool running = known_.running.contains(id) && !touched_.contains(id);
  if (!running && !TRY(still_pending(draft.txn, id))) return nothing();
  draft.touched.insert(id);
  for (const std::string& dependent : TRY(draft.scheduler.cancel(id)).dependents)
    draft.touched.insert(dependent);
  return {};
}

Status Workload::change(Draft& draft) {
  if (known_.open.empty()) return nothing();
  const std::string& id = any_of(known_.open, random_);
  if (!TRY(still_pending(draft.txn, id))) return nothing();
  AgentScheduler::Change change;
  change.priority = static_cast<Priority>(random_.below(k_priority_levels));
  if (random_.percent(30)) change.payload = "{\"changed\":true}";
  if (random_.percent(20)) change.agent = random_.of<std::string>({"a1", "a2", "a3", "a4"});
  const Task changed = TRY(draft.scheduler.change(id, change));
  draft.touched.insert(id);
  draft.steps.push_back(
      {Step::Kind::changed, id, clock_.now(), std::make_shared<const Task>(changed)});
  return {};
}

Status Workload::retry(Draft& draft) {
  std::vector<std::string> bad;
  for (const std::string& id : known_.ended)
    if (known_.last.at(id).state != TaskState::completed && !touched_.contains(id))
      bad.push_back(id);
  if (bad.empty()) return nothing();
  const std::string& id = random_.of(bad);
  const std::optional<Task> old = TRY(draft.txn.find_task(id));
  if (!old || !old->retried_as.empty() || id.size() > 40) return nothing();
  const Result<Task> task = draft.scheduler.retry(id);
  if (!task) return nothing();  // it would fail again
  draft.touched.insert(id);
  draft.touched.insert(task->id);
  draft.steps.push_back(
      {Step::Kind::scheduled, task->id, clock_.now(), std::make_shared<const Task>(*task)});
  return {};
}

Status Workload::collect(Draft& draft) {
  RetentionRules keep;
  keep.tasks = random_.between(30, 80);
  keep.age = {};
  keep.events = 3000;
  const Collected collected =
      TRY(collect_garbage(draft.txn, keep, clock_.now(), random_.between(1, 15)));
  draft.removed = collected.tasks;
  return {};
}

Status Workload::lose_all(Draft& draft) {
  for (uint64_t sequence : TRY(draft.txn.running_tasks())) {
    const std::optional<Task> task = TRY(draft.txn.find_task(sequence));
    if (!task || (external_ && task->agent == external_->definition.id)) continue;
    TRY(draft.scheduler.requeue(sequence, task->attempt_id, AgentScheduler::Requeue::lost,
                                "the power was cut"));
    draft.touched.insert(task->id);
  }
  return {};
}

}  // namespace fabric::crash
