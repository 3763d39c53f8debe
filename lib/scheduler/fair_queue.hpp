// SPDX-License-Identifier: Apache-2.0
// Which task starts next: weighted fair queueing by use on three levels, share group -> priority
// level -> queue; first in, first out inside. Pure and in memory; a mirror of what the store says,
// rebuilt from it. It holds one entry per lane that has ready tasks, not one per task.
//
// Start-time fair queueing (Goyal, Vin, Cheng 1996) with a guess at dispatch that is corrected at
// the end (Kubernetes KEP-1040): each node (share, level of a share, queue of a level) has a
// virtual time, the slot-seconds it was charged divided by its weight; the one that is furthest
// behind goes first. A node that comes back from idling starts where the others are: no credit for
// sleeping. Among shares still owed time (virtual time at most the mean of those waiting) the one
// with the most urgent ready task goes first, as EEVDF does. A share that had nothing to do at all
// begins anew: its levels are even again, so the most urgent of a fresh set goes first.
//
// The head of a lane that nothing holds back starts within
//   2 L (1 + (own + n W / w_min + S) / S),   own = W / w (V / v Q (1 + R) + 4 + S)
// L: longest task. S: slots. n shares with work, of weights w (its own; least w_min; sum W). V: sum
// of the level weights, v: its level's. Q: queues of its level with tasks. R: tasks of its level
// that run when it begins to wait.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/task.hpp"

namespace fabric {

struct SlotDemand {
  std::string label;
  uint32_t count = 1;
  bool operator==(const SlotDemand&) const = default;
};

using LevelWeights = std::array<uint32_t, k_priority_levels>;
constexpr LevelWeights k_default_level_weights{64, 16, 4, 1};

// What keeps a lane from starting now.
enum class Gate : uint8_t {
  none,   // nothing: it only waits for its turn
  empty,  // it has no ready task
  workspace_paused,
  level_paused,
  share_paused,
  queue_paused,
  pressure,     // the machine is short of processor or memory; this level waits
  no_agent,     // no agent that is there serves its queue
  agent_slots,  // every agent that serves it is busy
  pool_slots,
  workspace_slots,
  label_slots,
};

class FairQueue {
 public:
  explicit FairQueue(const LevelWeights& weights = k_default_level_weights);
  ~FairQueue();
  FairQueue(FairQueue&&) noexcept;
  FairQueue& operator=(FairQueue&&) noexcept;

  // Limits; 0 slots of the workspace or of a pool: no limit. A label that was never set has none to
  // give: what asks for it waits.
  void set_workspace_slots(uint32_t slots);
  void set_pool_slots(const std::string& pool, uint32_t slots);
  void set_label_slots(const std::string& label, uint32_t slots);
  void set_share_weight(ShareNumber share, uint32_t weight);  // default 1; at least 1
  void define_class(uint32_t slot_class, std::vector<SlotDemand> demands);

  // An agent that takes tasks from `queues` (its own among them), at most `slots` at a time. Again:
  // replaces what was said before. `automatic`: pick() may choose it; else only pick_for().
  void serve(QueueNumber agent, uint32_t slots, const std::string& pool,
             std::vector<QueueNumber> queues, bool automatic);
  void withdraw(QueueNumber agent);  // what it runs goes on counting until it ends

  // The number of ready tasks of a lane changed.
  void add_ready(const Lane& lane, int64_t change);
  [[nodiscard]] uint64_t ready(const Lane& lane) const;

  void pause_workspace(bool paused);
  void pause_level(Priority level, bool paused);
  void pause_share(ShareNumber share, bool paused);
  void pause_queue(QueueNumber queue, bool paused);
  // 0: none; 1: low waits; 2: low and normal wait. While nothing runs, nothing waits for it.
  void set_pressure(uint32_t degree);

  struct Pick {
    QueueNumber agent = 0;  // of those free that serve the queue, the one with the least part of
                            // its slots in use, then the lowest number
    QueueNumber queue = 0;
    ShareNumber share = 0;
    Priority level = Priority::normal;
    std::vector<uint32_t> classes;  // those that could start; the one with the oldest head is meant
  };
  // nullopt: nothing can start. Changes nothing that a caller sees: call started() for what really
  // starts.
  std::optional<Pick> pick(MonoTime now);
  std::optional<Pick> pick_for(QueueNumber agent, MonoTime now);

  // Charges the estimate: the moving average of how long tasks of this queue ran (of all queues
  // where it has none; 1 s at the very first). Of what runs longer than that more is charged as it
  // runs. The caller has said add_ready(lane, -1).
  void started(uint64_t attempt_id, QueueNumber agent, const Lane& lane, MonoTime now);
  // After a restart: a task that was started by a predecessor `elapsed` ago.
  void restore_running(uint64_t attempt_id, QueueNumber agent, const Lane& lane, Duration elapsed,
                       MonoTime now);
  // Corrects the charge to what was used. Unknown attempts are ignored.
  void ended(uint64_t attempt_id, MonoTime now);

  void restore_times(ShareNumber share, const ShareTimes& times);
  [[nodiscard]] ShareTimes times(ShareNumber share) const;
  // At what time a share starts that comes back now. Kept too, an idle share has no credit after a
  // restart; restored last, when ready and running tasks are there.
  [[nodiscard]] double virtual_time() const;
  void restore_virtual_time(double time);
  // Shares whose times changed since this was called last.
  std::vector<ShareNumber> take_changed_shares();

  [[nodiscard]] Gate gate_of(const Lane& lane) const;
  // Which label of the lane's class has too few free slots; "" when all have.
  [[nodiscard]] std::string missing_label(uint32_t slot_class) const;
  [[nodiscard]] uint32_t running() const;
  [[nodiscard]] uint32_t running_of_agent(QueueNumber agent) const;
  // Queues of levels that are held in memory: those with tasks, and those of a busy level that are
  // ahead of the others and have an agent.
  [[nodiscard]] size_t held_queues() const;
  [[nodiscard]] uint32_t label_in_use(const std::string& label) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fabric
