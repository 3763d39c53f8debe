// SPDX-License-Identifier: Apache-2.0
// Ready tasks, pauses and weights. Picking is in fair_queue_pick.cpp, virtual time in
// fair_queue_charge.cpp, agents and labels in fair_queue_agents.cpp.
#include "scheduler/fair_queue.hpp"

#include "scheduler/fair_queue_state.hpp"

namespace fabric {

using namespace fair;

FairQueue::FairQueue(const LevelWeights& weights) : state_(std::make_unique<State>()) {
  state_->weights = weights;
  for (uint32_t& weight : state_->weights) weight = std::max(weight, 1U);
}
FairQueue::~FairQueue() = default;
FairQueue::FairQueue(FairQueue&&) noexcept = default;
FairQueue& FairQueue::operator=(FairQueue&&) noexcept = default;

void FairQueue::set_share_weight(ShareNumber share, uint32_t weight) {
  state_->share_of(share).weight = std::max(weight, 1U);
}

void FairQueue::add_ready(const Lane& lane, int64_t change) {
  if (change == 0) return;
  if (change > 0) state_->settle_idle();
  Class& of_class = state_->class_of(lane.slot_class);
  QueueNode& node = state_->node_of(lane);
  const auto entry = std::find_if(node.lanes.begin(), node.lanes.end(),
                                  [&](const LaneEntry& e) { return e.of_class == &of_class; });
  if (entry == node.lanes.end()) {
    if (change > 0)
      state_->lane_begins(node, of_class, static_cast<uint64_t>(change));
    else
      state_->note_idle(node);
    return;
  }
  // Never below none, whatever is said.
  if (change < 0 && static_cast<uint64_t>(-change) >= entry->ready)
    return state_->lane_ends(node, of_class);
  entry->ready += static_cast<uint64_t>(change);
}

uint64_t FairQueue::ready(const Lane& lane) const {
  const QueueNode* node = state_->find_node(lane);
  if (!node) return 0;
  for (const LaneEntry& entry : node->lanes)
    if (entry.of_class->number == lane.slot_class) return entry.ready;
  return 0;
}

size_t FairQueue::held_queues() const {
  size_t count = 0;
  for (const auto& [number, share] : state_->shares)
    for (const Level& level : share.levels) count += level.queues.size();
  return count;
}

void FairQueue::pause_workspace(bool paused) { state_->paused = paused; }

void FairQueue::pause_level(Priority level, bool paused) {
  state_->level_paused[static_cast<size_t>(level)] = paused;
  state_->refresh_levels();
}

void FairQueue::set_pressure(uint32_t degree) {
  state_->pressure = degree;
  state_->refresh_levels();
}

void FairQueue::pause_share(ShareNumber number, bool paused) {
  Share& share = state_->share_of(number);
  share.paused = paused;
  state_->refresh(share);
}

void FairQueue::pause_queue(QueueNumber number, bool paused) {
  Queue& queue = state_->queue_of(number);
  if (queue.paused == paused) return;
  if (paused) state_->count_live(queue, false);
  queue.paused = paused;
  if (!paused) state_->count_live(queue, true);
  state_->touch(queue);
}

}  // namespace fabric
