// SPDX-License-Identifier: Apache-2.0
// Joins the store and the fair queue: which ready task is claimed by which agent, in the
// transaction at hand. A mirror of the store's lanes, loaded once and kept in step by what
// transactions say they changed; loaded anew after one was lost.
//
// One thread: the supervisor's store thread, or a direct command for one transaction.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.hpp"
#include "model/agent.hpp"
#include "scheduler/agent_scheduler.hpp"
#include "scheduler/fair_queue.hpp"
#include "scheduler/retention.hpp"
#include "store/store.hpp"

namespace fabric {

struct DispatchRules {
  LevelWeights weights = k_default_level_weights;
  uint32_t workspace_slots = 0;  // 0: no limit
  Slots label_slots, pool_slots, share_weights;
  SchedulerRules scheduler;
  RetentionRules retention;
};

class Dispatcher {
 public:
  struct Claim {
    Task task;
    uint32_t agent_number = 0;
  };

  Dispatcher(DispatchRules rules, const Clock& clock);

  void available(const Agent& agent);  // its sandbox stands: it takes tasks from now on
  void unavailable(const std::string& agent_id);
  void pause() { going_down_ = true; }  // no new claims (the supervisor goes down)
  void set_pressure(uint32_t degree) { pressure_ = degree, queue_.set_pressure(degree); }
  void pauses_changed() { reload_pauses_ = true; }
  void recurring_changed() { reload_recurring_ = true; }
  // The transaction was lost, or somebody else wrote: all of it is read again.
  void forget() { loaded_ = false; }

  // What time has brought, into `txn`. True: there may be more that is due.
  Result<bool> tick(store::WriteTxn& txn);
  // Claims for every free slot, into `txn`.
  Result<std::vector<Claim>> fill(store::WriteTxn& txn);
  // One for an external agent, which asks by itself. nullopt when nothing is ready for it;
  // ErrorCode::failed when all its slots are in use.
  Result<std::optional<Task>> claim_for(store::WriteTxn& txn, const Agent& agent, Duration lease);
  // After tick() and fill(): when tick() is to be called again.
  Result<std::optional<WallTime>> next_tick(const store::ReadTxn& txn);
  [[nodiscard]] const SchedulerRules& rules() const { return rules_.scheduler; }
  [[nodiscard]] const RetentionRules& retention() const { return rules_.retention; }

  // For `explain`: the mirror as the store says it is, without a supervisor's knowledge of which
  // sandboxes stand.
  Status load(const store::ReadTxn& txn);
  [[nodiscard]] const FairQueue& queue() const { return queue_; }

 private:
  struct Route {
    QueueNumber number = 0;
    Requirements requirements;
  };
  Status take_in(store::WriteTxn& txn);
  Status learn_names(const store::ReadTxn& txn);
  Status load_pauses(const store::ReadTxn& txn);
  Status load_running(const store::ReadTxn& txn, const std::vector<Agent>& agents);
  void serve(const Agent& agent);
  Result<std::optional<Task>> claim(store::WriteTxn& txn, const Agent& agent,
                                    const FairQueue::Pick& pick, Duration lease);
  Status save_times(store::WriteTxn& txn);

  const DispatchRules rules_;
  const Clock& clock_;
  FairQueue queue_;
  bool loaded_ = false;
  bool going_down_ = false;
  bool reload_pauses_ = false, reload_recurring_ = true;
  uint32_t pressure_ = 0;
  std::optional<WallTime> next_recurring_;
  std::unordered_map<uint32_t, Agent> agents_;  // by number: those that take tasks
  std::unordered_set<uint32_t> known_shares_, known_classes_, known_queues_;
  std::vector<Route> routes_;
  std::vector<Pause> pauses_;
};

}  // namespace fabric
