// SPDX-License-Identifier: Apache-2.0
// Whose turn it is, and what keeps a lane from having its turn.
#include <bit>

#include "scheduler/fair_queue_state.hpp"

namespace fabric {

using namespace fair;

namespace {

uint32_t most_urgent(uint8_t mask) { return static_cast<uint32_t>(std::countr_zero(mask)); }

// Of those not ahead of the mean the one with the most urgent level; then the furthest behind; then
// the lowest number. `mask_of` says which levels of a share may start.
template <class MaskOf>
Share& choose_share(const std::vector<Share*>& shares, double now, MaskOf mask_of) {
  const auto time_of = [now](const Share& s) { return s.startable ? s.time() : s.time_back(now); };
  double sum = 0;
  double least = std::numeric_limits<double>::infinity();
  for (const Share* share : shares) {
    sum += time_of(*share);
    least = std::min(least, time_of(*share));
  }
  // The mean of equal numbers may be rounded to less than they are.
  const double limit = std::max(least, sum / static_cast<double>(shares.size()));
  const auto rank = [&](const Share& s) {
    return std::tuple(time_of(s) > limit, most_urgent(mask_of(s)), time_of(s), s.number);
  };
  return **std::min_element(shares.begin(), shares.end(),
                            [&](const Share* a, const Share* b) { return rank(*a) < rank(*b); });
}

// The furthest behind; of equal ones the most urgent.
Level& choose_level(Share& share, uint8_t mask) {
  Level* chosen = nullptr;
  double least = 0;
  for (Level& level : share.levels) {
    if ((uint32_t{mask} >> level.number & 1U) == 0) continue;
    const double time = level.startable ? level.time() : level.time_back(share.now);
    if (chosen && time >= least) continue;
    chosen = &level;
    least = time;
  }
  return *chosen;
}

QueueNode& choose_queue(const Level& level) {
  const OpenQueue* chosen = level.open.data();
  for (const OpenQueue& open : level.open)
    if (open.time < chosen->time || (open.time == chosen->time && open.number < chosen->number))
      chosen = &open;
  return *chosen->node;
}

QueueNumber choose_agent(const Queue& queue) {
  FreeAgent chosen{k_never, 0};
  for (const FreeOfPool& free : queue.free) {
    if (free.agents.empty() || free.pool->full()) continue;
    if (chosen.load == k_never || *free.agents.begin() < chosen) chosen = *free.agents.begin();
  }
  return chosen.number;
}

FairQueue::Pick pick_of(const QueueNode& node, QueueNumber agent) {
  FairQueue::Pick pick;
  pick.agent = agent;
  pick.queue = node.queue->number;
  pick.share = node.level->share->number;
  pick.level = static_cast<Priority>(node.level->number);
  for (const LaneEntry& lane : node.lanes)
    if (lane.of_class->open) pick.classes.push_back(lane.of_class->number);
  return pick;
}

}  // namespace

std::optional<FairQueue::Pick> FairQueue::pick(MonoTime now) {
  State& s = *state_;
  s.charge_due(now);
  s.settle_idle();
  if (s.paused || (s.slots != 0 && s.running >= s.slots)) return std::nullopt;
  if (s.live_queues == 0 || s.open_lanes == 0) return std::nullopt;
  s.apply();
  if (s.startable.empty()) return std::nullopt;
  Share& share = choose_share(s.startable, s.now, [](const Share& each) { return each.mask; });
  const QueueNode& node = choose_queue(choose_level(share, share.mask));
  return pick_of(node, choose_agent(*node.queue));
}

// Looks at all that the agent serves: an agent that asks serves few queues.
std::optional<FairQueue::Pick> FairQueue::pick_for(QueueNumber number, MonoTime now) {
  State& s = *state_;
  s.charge_due(now);
  s.settle_idle();
  s.apply();
  auto agent = s.agents.find(number);
  if (agent == s.agents.end() || !agent->second.has_slot() || agent->second.pool->full())
    return std::nullopt;
  if (s.paused || (s.slots != 0 && s.running >= s.slots)) return std::nullopt;
  std::vector<QueueNode*> nodes;
  std::vector<Share*> shares;
  for (const Queue* queue : agent->second.queues) {
    if (queue->paused) continue;
    for (QueueNode* node : queue->nodes) {
      Share& share = *node->level->share;
      if (node->open_lanes == 0 || share.paused || !s.level_open(node->level->number)) continue;
      if (share.offered == 0) shares.push_back(&share);
      share.offered = static_cast<uint8_t>(share.offered | 1U << node->level->number);
      nodes.push_back(node);
    }
  }
  if (nodes.empty()) return std::nullopt;
  Share& share = choose_share(shares, s.now, [](const Share& each) { return each.offered; });
  const Level& level = choose_level(share, share.offered);
  const auto rank = [&level](const QueueNode& node) {
    const double time = node.startable ? node.time() : node.time_back(node.level->now);
    return std::tuple(node.level != &level, time, node.queue->number);
  };
  const QueueNode& chosen = **std::min_element(
      nodes.begin(), nodes.end(),
      [&](const QueueNode* a, const QueueNode* b) { return rank(*a) < rank(*b); });
  for (Share* each : shares) each->offered = 0;
  return pick_of(chosen, number);
}

Gate FairQueue::gate_of(const Lane& lane) const {
  const State& s = *state_;
  if (ready(lane) == 0) return Gate::empty;
  if (s.paused) return Gate::workspace_paused;
  if (s.level_paused[static_cast<size_t>(lane.level)]) return Gate::level_paused;
  if (s.shares.at(lane.share).paused) return Gate::share_paused;
  const Queue& queue = s.queues.at(lane.queue);
  if (queue.paused) return Gate::queue_paused;
  if (!s.level_open(static_cast<uint32_t>(lane.level))) return Gate::pressure;
  if (queue.servers.empty()) return Gate::no_agent;
  bool agent_free = false;
  bool pool_free = false;
  for (const Agent* agent : queue.servers) {
    agent_free = agent_free || agent->has_slot();
    pool_free = pool_free || (agent->has_slot() && !agent->pool->full());
  }
  if (!agent_free) return Gate::agent_slots;
  if (!pool_free) return Gate::pool_slots;
  if (s.slots != 0 && s.running >= s.slots) return Gate::workspace_slots;
  return s.classes.at(lane.slot_class).open ? Gate::none : Gate::label_slots;
}

std::string FairQueue::missing_label(uint32_t slot_class) const {
  auto it = state_->classes.find(slot_class);
  if (it == state_->classes.end() || !it->second.demands) return "";
  for (const LabelDemand& demand : *it->second.demands)
    if (!has_free(demand)) return demand.name;
  return "";
}

}  // namespace fabric
