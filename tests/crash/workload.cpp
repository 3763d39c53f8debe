// SPDX-License-Identifier: Apache-2.0
// Transactions: made as the supervisor's store thread makes them (lib/supervisor/store_thread.cpp),
// and turned into history.
#include "workload.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace fabric::crash {
namespace {

constexpr size_t k_all = std::numeric_limits<size_t>::max();
constexpr Duration k_lease = Duration::seconds(60);
const Slots k_labels{{"build", 2}, {"gpu", 1}};

struct AgentPlan {
  const char* id;
  AgentKind kind;
  uint32_t slots;
  const char* zone;
};
constexpr AgentPlan k_agents[] = {{"a1", AgentKind::worker, 1, "x"},
                                  {"a2", AgentKind::worker, 2, "x"},
                                  {"a3", AgentKind::worker, 3, "y"},
                                  {"a4", AgentKind::worker, 4, "y"},
                                  {"ext", AgentKind::external, 2, "z"}};

}  // namespace

DispatchRules rules() {
  DispatchRules rules;
  rules.label_slots = k_labels;
  rules.scheduler.label_slots = k_labels;
  rules.share_weights = {{"s1", 3}, {"s2", 1}};
  return rules;
}

Capacity capacity() {
  Capacity capacity;
  capacity.labels = k_labels;
  for (const AgentPlan& plan : k_agents) capacity.agents[plan.id] = plan.slots;
  return capacity;
}

Status add_agents(store::Store& store) {
  store::WriteTxn txn = TRY(store.write());
  for (const AgentPlan& plan : k_agents) {
    Agent agent;
    agent.definition.id = plan.id;
    agent.definition.kind = plan.kind;
    if (plan.kind != AgentKind::external) agent.definition.command = {"true"};
    agent.definition.labels = {{"zone", plan.zone}};
    agent.definition.max_concurrent_tasks = plan.slots;
    agent.state = AgentState::ready;
    TRY_STATUS(txn.save_agent(agent));
  }
  return txn.commit();
}

void KnownTasks::learn(const Commit& commit) {
  for (const Step& step : commit.steps) {
    switch (step.kind) {
      case Step::Kind::scheduled:
        open.insert(step.id);
        [[fallthrough]];
      case Step::Kind::changed:
        there[step.id] = step.task;
        break;
      case Step::Kind::started:
        running[step.id] = {step.attempt_id, step.agent};
        break;
      case Step::Kind::over:
      case Step::Kind::ended:
        if (step.attempt_id != 0) old_attempts.emplace_back(step.id, step.attempt_id);
        running.erase(step.id);
        if (step.kind == Step::Kind::over) break;
        open.erase(step.id);
        ended.insert(step.id);
        break;
      case Step::Kind::removed:
        there.erase(step.id);
        ended.erase(step.id);
        last.erase(step.id);
        break;
    }
  }
  for (const auto& [id, snapshot] : commit.after)
    if (snapshot) last[id] = *snapshot;
}

Workload::Workload(store::Store& store, HandClock& clock, Random& random, KnownTasks known)
    : store_(store), clock_(clock), random_(random), known_(std::move(known)) {}

Status Workload::begin() {
  dispatcher_ = std::make_unique<Dispatcher>(rules(), clock_);
  const store::ReadTxn txn = TRY(store_.read());
  for (const Agent& agent : TRY(txn.list_agents())) {
    if (agent.definition.kind == AgentKind::external)
      external_ = agent;
    else
      dispatcher_->available(agent);
  }
  cursor_ = TRY(txn.last_event());
  return {};
}

Status Workload::step(size_t operations) {
  std::vector<Operation> chosen;
  while (chosen.size() < operations) chosen.push_back(choose());
  return transact(chosen);
}

Workload::Operation Workload::choose() {
  using W = Workload;
  const uint64_t chance = random_.below(100);
  // The queue grows, then shrinks, then grows.
  const bool full = known_.open.size() > 60 + (commits_.size() / 40 % 2) * 60;
  if (chance < (full ? 3 : 12)) return &W::schedule_one;
  if (chance < (full ? 4 : 16)) return &W::schedule_batch;
  if (chance < (full ? 5 : 20)) return &W::schedule_graph;
  if (chance < 80) return &W::finish;
  if (chance < 86) return &W::answer_late;
  if (chance < 90) return &W::cancel;
  if (chance < 93) return &W::change;
  if (chance < 95) return &W::retry;
  return &W::collect;
}

Status Workload::recover() { return transact({&Workload::lose_all}); }

Status Workload::run_to_end() {
  for (size_t round = 0; !known_.open.empty(); ++round) {
    if (round > 100000)
      return fail(ErrorCode::failed, std::to_string(known_.open.size()) + " tasks never end");
    if (known_.running.empty()) {
      const store::ReadTxn txn = TRY(store_.read());
      const std::optional<WallTime> next = TRY(dispatcher_->next_tick(txn));
      if (next && *next > clock_.now()) clock_.pass(*next - clock_.now());
      // An external agent asks once a transaction: that nothing came of one says little.
      if (!next && round > 0 && commits_.back().steps.empty())
        return fail(ErrorCode::failed, "the queue stands still with " +
                                           std::to_string(known_.open.size()) + " tasks, " +
                                           *known_.open.begin() + " among them");
    }
    std::vector<Operation> ends(random_.between(1, 12), &Workload::finish);
    ends.push_back(&Workload::answer_late);
    TRY_STATUS(transact(ends));
  }
  return {};
}

Status Workload::transact(const std::vector<Operation>& operations) {
  clock_.pass(Duration::millis(static_cast<int64_t>(random_.below(1500))));
  now_ = {};
  now_.at = clock_.now();
  touched_.clear();
  removed_.clear();
  over_.clear();
  claims_.clear();
  store::WriteTxn txn = TRY(store_.write());
  for (Operation operation : operations) TRY_STATUS(perform(txn, operation));
  {
    store::WriteTxn nested = TRY(txn.nested());
    TRY(dispatcher_->tick(nested));
    TRY_STATUS(nested.commit());
  }
  TRY_STATUS(claim(txn));
  for (const Event& event : TRY(txn.events(cursor_, k_all))) {
    cursor_ = event.sequence;
    if (!event.task.empty()) take_event(event);
  }
  for (const auto& [id, task] : claims_)
    problems_.push_back("task " + id + ": claimed without an event");
  for (const std::string& id : removed_) now_.steps.push_back({Step::Kind::removed, id, now_.at});
  TRY_STATUS(take_snapshots(txn));
  TRY_STATUS(txn.commit());
  now_.transaction = TRY(store_.stat()).last_transaction;
  if (acknowledged) acknowledged(now_);
  known_.learn(now_);
  commits_.push_back(std::move(now_));
  return {};
}

// What is refused leaves nothing, as in the supervisor.
Status Workload::perform(store::WriteTxn& txn, Operation operation) {
  store::WriteTxn nested = TRY(txn.nested());
  Draft draft{nested, AgentScheduler(nested, clock_.now(), rules().scheduler)};
  const Status status = (this->*operation)(draft);
  if (!status) {
    // Dependencies that retention took, ends that came in between: all of these are answers.
    const ErrorCode code = status.error().code;
    if (code != ErrorCode::not_found && code != ErrorCode::usage &&
        code != ErrorCode::nothing_to_do)
      problems_.push_back("refused: " + status.error().message);
    return {};
  }
  TRY_STATUS(nested.commit());
  touched_.merge(draft.touched);
  for (Step& step : draft.steps) now_.steps.push_back(std::move(step));
  for (std::string& id : draft.removed) removed_.push_back(std::move(id));
  return {};
}

Status Workload::claim(store::WriteTxn& txn) {
  for (Dispatcher::Claim& claim : TRY(dispatcher_->fill(txn)))
    claims_.emplace(claim.task.id, std::move(claim.task));
  if (!external_) return {};
  uint64_t has = 0;
  for (const auto& [id, running] : known_.running) has += running.agent == external_->definition.id;
  if (has >= external_->definition.max_concurrent_tasks) return {};
  if (std::optional<Task> task = TRY(dispatcher_->claim_for(txn, *external_, k_lease)))
    claims_.emplace(task->id, *std::move(task));
  return {};
}

void Workload::take_event(const Event& event) {
  touched_.insert(event.task);
  const auto running = known_.running.find(event.task);
  const bool ran = running != known_.running.end() && !over_.contains(event.task);
  const uint64_t attempt = ran ? running->second.attempt_id : 0;
  switch (event.kind) {
    case EventKind::task_started: {
      const auto claim = claims_.find(event.task);
      if (claim == claims_.end()) {
        problems_.push_back("task " + event.task + ": started by nobody");
        break;
      }
      now_.steps.push_back({Step::Kind::started, event.task, now_.at, nullptr,
                            claim->second.attempt_id, claim->second.agent});
      claims_.erase(claim);
      break;
    }
    case EventKind::task_requeued:
    case EventKind::task_retrying:
      over_.insert(event.task);
      now_.steps.push_back({Step::Kind::over, event.task, now_.at, nullptr, attempt});
      break;
    case EventKind::task_completed:
    case EventKind::task_failed:
    case EventKind::task_cancelled:
    case EventKind::task_timed_out:
      now_.steps.push_back(
          {Step::Kind::ended, event.task, now_.at, nullptr, attempt, {}, event.state});
      break;
    default:
      break;
  }
}

Result<Snapshot> snapshot_of(const store::ReadTxn& txn, const Task& task) {
  Snapshot snapshot;
  snapshot.state = task.state;
  snapshot.stop_asked = task.state == TaskState::running && task.reason == Reason::user;
  snapshot.attempt = task.attempt;
  snapshot.attempt_id = task.attempt_id;
  snapshot.retries = task.retries;
  snapshot.lost_attempts = task.lost_attempts;
  if (const std::optional<TaskResult> result = TRY(txn.find_result(task.sequence)))
    snapshot.result = result->head;
  snapshot.attempts_kept = TRY(txn.attempts(task.sequence)).size();
  return snapshot;
}

Status Workload::take_snapshots(const store::WriteTxn& txn) {
  for (const std::string& id : removed_) touched_.insert(id);
  for (const std::string& id : touched_) {
    std::optional<Snapshot>& after = now_.after[id];
    if (const std::optional<Task> task = TRY(txn.find_task(id)))
      after = TRY(snapshot_of(txn, *task));
  }
  return {};
}

}  // namespace fabric::crash
