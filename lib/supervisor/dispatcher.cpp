// SPDX-License-Identifier: Apache-2.0
#include "supervisor/dispatcher.hpp"

#include <algorithm>

#include "telemetry/log.hpp"

namespace fabric {
namespace {

// Decided about in one transaction, so that a million due tasks do not make one of a minute.
constexpr size_t k_most_due = 5000;

}  // namespace

Dispatcher::Dispatcher(DispatchRules rules, const Clock& clock)
    : rules_(std::move(rules)), clock_(clock), queue_(rules_.weights) {}

void Dispatcher::available(const Agent& agent) {
  agents_.insert_or_assign(agent.number, agent);
  if (loaded_) serve(agent);
}

void Dispatcher::unavailable(const std::string& agent_id) {
  for (auto at = agents_.begin(); at != agents_.end(); ++at)
    if (at->second.definition.id == agent_id) {
      queue_.withdraw(at->first);
      agents_.erase(at);
      return;
    }
}

void Dispatcher::serve(const Agent& agent) {
  const auto paused = [&](const Pause& pause) {
    return pause.kind == PauseKind::agent && pause.name == agent.definition.id;
  };
  std::vector<QueueNumber> queues{agent.number};
  if (std::none_of(pauses_.begin(), pauses_.end(), paused))
    for (const Route& route : routes_)
      if (satisfies(agent.definition, route.requirements)) queues.push_back(route.number);
  queue_.serve(agent.number, agent.definition.max_concurrent_tasks, agent.definition.pool,
               std::move(queues), agent.definition.kind != AgentKind::external);
}

Status Dispatcher::load(const store::ReadTxn& txn) {
  queue_ = FairQueue(rules_.weights);
  queue_.set_workspace_slots(rules_.workspace_slots);
  for (const auto& [label, slots] : rules_.label_slots) queue_.set_label_slots(label, slots);
  for (const auto& [pool, slots] : rules_.pool_slots) queue_.set_pool_slots(pool, slots);
  queue_.set_pressure(pressure_);
  known_shares_.clear();
  known_classes_.clear();
  known_queues_.clear();
  TRY_STATUS(learn_names(txn));
  for (const store::Share& share : TRY(txn.shares()))
    queue_.restore_times(share.number, share.times);
  TRY_STATUS(load_pauses(txn));
  const std::vector<Agent> agents = TRY(txn.list_agents());
  for (const Agent& agent : agents)
    if (agent.definition.kind == AgentKind::external) agents_.insert_or_assign(agent.number, agent);
  for (const auto& [number, agent] : agents_) serve(agent);
  TRY_STATUS(load_running(txn, agents));
  for (const store::LaneBacklog& backlog : TRY(txn.ready_lanes()))
    queue_.add_ready(backlog.lane, static_cast<int64_t>(backlog.ready));
  loaded_ = true;
  return {};
}

Status Dispatcher::load_running(const store::ReadTxn& txn, const std::vector<Agent>& agents) {
  std::unordered_map<std::string, uint32_t> numbers;
  for (const Agent& agent : agents) numbers.emplace(agent.definition.id, agent.number);
  const WallTime now = clock_.now();
  for (uint64_t sequence : TRY(txn.running_tasks())) {
    const std::optional<Task> task = TRY(txn.find_task(sequence));
    if (!task) continue;
    const auto agent = numbers.find(task->agent);
    const Duration elapsed{std::max<int64_t>(0, (now - task->started_at).ns)};
    queue_.restore_running(task->attempt_id, agent == numbers.end() ? 0 : agent->second, task->lane,
                           elapsed, clock_.monotonic());
  }
  return {};
}

// Shares, slot classes and routes that appeared since.
Status Dispatcher::learn_names(const store::ReadTxn& txn) {
  using store::NameKind;
  for (const store::Name& name : TRY(txn.names(NameKind::share))) {
    if (!known_shares_.insert(name.number).second) continue;
    for (const auto& [share, weight] : rules_.share_weights)
      if (share == name.text) queue_.set_share_weight(name.number, weight);
  }
  for (const store::Name& name : TRY(txn.names(NameKind::slot_class))) {
    if (!known_classes_.insert(name.number).second) continue;
    std::vector<SlotDemand> demands;
    for (const auto& [label, count] : TRY(parse_slots(name.text)))
      demands.push_back({label, count});
    queue_.define_class(name.number, std::move(demands));
  }
  routes_.clear();
  for (const store::Name& name : TRY(txn.names(NameKind::route))) {
    known_queues_.insert(name.number);
    routes_.push_back({name.number, TRY(parse_requirements(name.text))});
  }
  return {};
}

Status Dispatcher::load_pauses(const store::ReadTxn& txn) {
  reload_pauses_ = false;
  const std::vector<Pause> before = std::move(pauses_);
  pauses_ = TRY(txn.pauses());
  const auto apply = [&](const Pause& pause, bool on) -> Status {
    switch (pause.kind) {
      case PauseKind::workspace:
        queue_.pause_workspace(on);
        break;
      case PauseKind::priority:
        queue_.pause_level(TRY(parse_priority(pause.name)), on);
        break;
      case PauseKind::agent:
        if (const std::optional<Agent> agent = TRY(txn.find_agent(pause.name))) {
          queue_.pause_queue(agent->number, on);
          if (agents_.contains(agent->number)) serve(*agent);
        }
        break;
      case PauseKind::share:
        if (const auto share = TRY(txn.find_number(store::NameKind::share, pause.name)))
          queue_.pause_share(*share, on);
        break;
    }
    return {};
  };
  for (const Pause& pause : before) TRY_STATUS(apply(pause, false));
  for (const Pause& pause : pauses_) TRY_STATUS(apply(pause, true));
  return {};
}

// What the transaction has changed so far.
Status Dispatcher::take_in(store::WriteTxn& txn) {
  store::QueueChanges changes = txn.take_queue_changes();
  if (!loaded_) return load(txn);
  bool new_names = false;
  for (const auto& [lane, change] : changes.ready)
    new_names = new_names || !known_shares_.contains(lane.share) ||
                (lane.slot_class != 0 && !known_classes_.contains(lane.slot_class)) ||
                known_queues_.insert(lane.queue).second;
  if (new_names) {
    const size_t routes = routes_.size();
    TRY_STATUS(learn_names(txn));
    if (routes_.size() != routes)
      for (const auto& [number, agent] : agents_) serve(agent);
    if (!pauses_.empty()) reload_pauses_ = true;  // of a share that had no number yet
  }
  if (reload_pauses_) TRY_STATUS(load_pauses(txn));
  const MonoTime now = clock_.monotonic();
  for (uint64_t attempt : changes.ended) queue_.ended(attempt, now);
  for (const auto& [lane, change] : changes.ready) queue_.add_ready(lane, change);
  return {};
}

Result<bool> Dispatcher::tick(store::WriteTxn& txn) {
  const std::optional<WallTime> next = TRY(next_tick(txn));
  if (!next || *next > clock_.now()) return false;
  reload_recurring_ = true;
  store::WriteTxn nested = TRY(txn.nested());
  AgentScheduler scheduler(nested, clock_.now(), rules_.scheduler);
  const Result<AgentScheduler::Ticked> ticked = scheduler.tick(k_most_due);
  if (!ticked || ticked->failed)
    log::error("due, and not decided",
               {{"error", ticked ? ticked->failed->message : ticked.error().message}});
  if (!ticked) return false;  // nothing of it; who waits for other things need not wait for this
  TRY_STATUS(nested.commit());
  return ticked->decided >= k_most_due;
}

Result<std::optional<WallTime>> Dispatcher::next_tick(const store::ReadTxn& txn) {
  if (reload_recurring_) {
    reload_recurring_ = false;
    const Result<std::optional<WallTime>> next = AgentScheduler::next_recurring(txn);
    if (!next) log::error("recurring tasks", {{"error", next.error().message}});
    next_recurring_ = next.value_or(std::nullopt);
  }
  std::optional<WallTime> next = TRY(txn.next_timer());
  if (next_recurring_ && (!next || *next_recurring_ < *next)) next = next_recurring_;
  return next;
}

Result<std::vector<Dispatcher::Claim>> Dispatcher::fill(store::WriteTxn& txn) {
  std::vector<Claim> claims;
  TRY_STATUS(take_in(txn));
  while (!going_down_) {
    const std::optional<FairQueue::Pick> pick = queue_.pick(clock_.monotonic());
    if (!pick) break;
    const Agent& agent = agents_.at(pick->agent);
    Result<std::optional<Task>> task = claim(txn, agent, *pick, {});
    if (!task) {
      // A queue that is damaged must not starve the others: its lanes are passed over.
      log::error("queue not served",
                 {{"agent", agent.definition.id}, {"error", task.error().message}});
      for (uint32_t slot_class : pick->classes) {
        const Lane lane{pick->queue, pick->share, pick->level, slot_class};
        queue_.add_ready(lane, -static_cast<int64_t>(queue_.ready(lane)));
      }
      continue;
    }
    if (*task) claims.push_back({**std::move(task), agent.number});
  }
  TRY_STATUS(save_times(txn));
  return claims;
}

Result<std::optional<Task>> Dispatcher::claim(store::WriteTxn& txn, const Agent& agent,
                                              const FairQueue::Pick& pick, Duration lease) {
  std::optional<Task> task;
  {
    store::WriteTxn nested = TRY(txn.nested());
    AgentScheduler scheduler(nested, clock_.now(), rules_.scheduler);
    task = TRY(scheduler.claim(agent, pick, lease));
    TRY_STATUS(nested.commit());
  }
  TRY_STATUS(take_in(txn));
  if (task) queue_.started(task->attempt_id, agent.number, task->lane, clock_.monotonic());
  return task;
}

Result<std::optional<Task>> Dispatcher::claim_for(store::WriteTxn& txn, const Agent& agent,
                                                  Duration lease) {
  TRY_STATUS(take_in(txn));
  if (!agents_.contains(agent.number)) available(agent);
  if (queue_.running_of_agent(agent.number) >= agent.definition.max_concurrent_tasks)
    return fail(ErrorCode::failed,
                "agent " + agent.definition.id + " is at capacity: it has " +
                    std::to_string(queue_.running_of_agent(agent.number)) + " of " +
                    std::to_string(agent.definition.max_concurrent_tasks) + " tasks claimed",
                "complete or release one first");
  while (const auto pick = queue_.pick_for(agent.number, clock_.monotonic())) {
    Result<std::optional<Task>> task = claim(txn, agent, *pick, lease);
    if (task && !*task) continue;
    Status saved = save_times(txn);
    if (task && saved) return task;
    forget();  // the caller drops what we have taken in
    if (!task) return task;
    return fail(saved.error());
  }
  TRY_STATUS(save_times(txn));
  return std::optional<Task>();
}

Status Dispatcher::save_times(store::WriteTxn& txn) {
  for (ShareNumber share : queue_.take_changed_shares())
    TRY_STATUS(txn.save_share_times(share, queue_.times(share)));
  return {};
}

}  // namespace fabric
