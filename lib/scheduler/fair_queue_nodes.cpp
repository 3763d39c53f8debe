// SPDX-License-Identifier: Apache-2.0
// The tree of shares, levels and queues: which nodes exist, which may start, which idle.
#include <algorithm>

#include "scheduler/fair_queue_state.hpp"

namespace fabric {

using namespace fair;

bool fair::queue_open(const Queue& queue) {
  if (queue.paused) return false;
  return std::any_of(queue.free.begin(), queue.free.end(),
                     [](const FreeOfPool& f) { return !f.agents.empty() && !f.pool->full(); });
}

Share& FairQueue::State::share_of(ShareNumber number) {
  auto [it, made] = shares.try_emplace(number);
  Share& share = it->second;
  if (!made) return share;
  share.number = number;
  for (uint32_t l = 0; l < k_priority_levels; ++l) {
    share.levels[l].share = &share;
    share.levels[l].number = l;
  }
  return share;
}

Queue& FairQueue::State::queue_of(QueueNumber number) {
  Queue& queue = queues[number];
  queue.number = number;
  return queue;
}

Class& FairQueue::State::class_of(uint32_t number) {
  Class& of_class = classes[number];
  of_class.number = number;
  return of_class;
}

QueueNode& FairQueue::State::node_of(const Lane& lane) {
  Level& level = share_of(lane.share).levels[static_cast<size_t>(lane.level)];
  auto [it, made] = level.queues.try_emplace(lane.queue);
  QueueNode& node = it->second;
  if (made) {
    node.queue = &queue_of(lane.queue);
    node.level = &level;
    node.queue->nodes.push_back(&node);
  }
  return node;
}

const QueueNode* FairQueue::State::find_node(const Lane& lane) const {
  auto share = shares.find(lane.share);
  if (share == shares.end()) return nullptr;
  const Level& level = share->second.levels[static_cast<size_t>(lane.level)];
  auto node = level.queues.find(lane.queue);
  return node == level.queues.end() ? nullptr : &node->second;
}

bool FairQueue::State::level_open(uint32_t level) const {
  if (level_paused[level]) return false;
  if (running == 0) return true;  // work goes on, however slowly
  if (level == static_cast<uint32_t>(Priority::low)) return pressure == 0;
  return level != static_cast<uint32_t>(Priority::normal) || pressure < 2;
}

namespace {
// True when it changed.
bool set_startable(Node& node, bool startable, double parent_now) {
  if (node.startable == startable) return false;
  node.startable = startable;
  if (startable)
    node.come_back(parent_now);
  else
    node.blocked_at = parent_now;
  return true;
}
}  // namespace

void FairQueue::State::refresh(QueueNode& node) {
  Level& level = *node.level;
  if (!set_startable(node, node.queue->open && node.open_lanes > 0, level.now)) return;
  if (node.startable) {
    level.top = std::max(level.top, node.time());
    node.position = static_cast<uint32_t>(level.open.size());
    level.open.push_back({node.time(), node.queue->number, &node});
  } else {
    level.open[node.position] = level.open.back();
    level.open[node.position].node->position = node.position;
    level.open.pop_back();
    node.position = k_nowhere;
  }
  refresh(level);
}

void FairQueue::State::refresh(Level& level) {
  Share& share = *level.share;
  if (!set_startable(level, !level.open.empty() && level_open(level.number), share.now)) return;
  share.mask = static_cast<uint8_t>(share.mask ^ (1U << level.number));
  refresh(share);
}

void FairQueue::State::refresh(Share& share) {
  if (!set_startable(share, share.mask != 0 && !share.paused, now)) return;
  if (share.startable) {
    share.position = static_cast<uint32_t>(startable.size());
    startable.push_back(&share);
  } else {
    startable[share.position] = startable.back();
    startable[share.position]->position = share.position;
    startable.pop_back();
    share.position = k_nowhere;
  }
}

void FairQueue::State::refresh_levels() {
  for (auto& [number, share] : shares)
    for (Level& level : share.levels) refresh(level);
}

void FairQueue::State::count_live(Queue& queue, bool more) {
  if (queue.paused || queue.ready_lanes == 0) return;
  for (const FreeOfPool& free : queue.free)
    if (!free.agents.empty()) count_live(*free.pool, more);
}

void FairQueue::State::count_live(Pool& pool, bool more) {
  pool.live = more ? pool.live + 1 : pool.live - 1;
  if (!pool.full()) live_queues = more ? live_queues + 1 : live_queues - 1;
}

void FairQueue::State::touch(Queue& queue) {
  if (std::exchange(queue.dirty, true)) return;
  dirty_queues.push_back(&queue);
}

void FairQueue::State::touch(Class& of_class) {
  if (std::exchange(of_class.dirty, true)) return;
  dirty_classes.push_back(&of_class);
}

void FairQueue::State::apply() {
  for (Pool* pool : dirty_pools) {
    pool->dirty = false;
    if (pool->full() == std::exchange(pool->applied_full, pool->full())) continue;
    for (const auto& [number, agents_of_it] : pool->queues) touch(queues.at(number));
  }
  dirty_pools.clear();
  for (Queue* queue : dirty_queues) {
    queue->dirty = false;
    const bool open = queue_open(*queue);
    if (open != std::exchange(queue->open, open))
      for (QueueNode* node : queue->nodes) refresh(*node);
    drop_if_unused(*queue);
  }
  dirty_queues.clear();
  for (Class* of_class : dirty_classes) {
    of_class->dirty = false;
    if (of_class->open == std::exchange(of_class->applied_open, of_class->open)) continue;
    for (auto& [key, node] : of_class->nodes) {
      node->open_lanes = of_class->open ? node->open_lanes + 1 : node->open_lanes - 1;
      refresh(*node);
    }
  }
  dirty_classes.clear();
}

void FairQueue::State::wake(QueueNode& node) {
  if (node.idle()) node.level->ahead.erase({node.time(), node.queue->number});
}

void FairQueue::State::lane_begins(QueueNode& node, Class& of_class, uint64_t ready) {
  Level& level = *node.level;
  Queue& queue = *node.queue;
  wake(node);
  auto at = std::find_if(node.lanes.begin(), node.lanes.end(),
                         [&](const LaneEntry& e) { return e.of_class->number > of_class.number; });
  node.lanes.insert(at, {&of_class, ready});
  of_class.nodes.emplace(std::tuple(level.share->number, level.number, queue.number), &node);
  open_lanes += of_class.open ? 1 : 0;
  node.open_lanes += of_class.applied_open ? 1 : 0;
  ++node.ready_lanes;
  ++level.ready_lanes;
  ++level.share->ready_lanes;
  ++ready_lanes;
  if (++queue.ready_lanes == 1) count_live(queue, true);
  refresh(node);
}

void FairQueue::State::lane_ends(QueueNode& node, Class& of_class) {
  Level& level = *node.level;
  Queue& queue = *node.queue;
  std::erase_if(node.lanes, [&](const LaneEntry& e) { return e.of_class == &of_class; });
  of_class.nodes.erase(std::tuple(level.share->number, level.number, queue.number));
  open_lanes -= of_class.open ? 1 : 0;
  node.open_lanes -= of_class.applied_open ? 1 : 0;
  --node.ready_lanes;
  --level.ready_lanes;
  --level.share->ready_lanes;
  --ready_lanes;
  if (queue.ready_lanes == 1) count_live(queue, false);
  --queue.ready_lanes;
  refresh(node);
  note_idle(node);
}

// Whether it idles is seen later: between add_ready(-1) and started() it only seems to.
void FairQueue::State::note_idle(QueueNode& node) {
  if (!node.idle()) return;
  maybe_idle.push_back(
      {node.level->share->number, static_cast<Priority>(node.level->number), node.queue->number});
}

void FairQueue::State::settle_idle() {
  for (const IdleNode& idle : std::exchange(maybe_idle, {})) {
    Share& share = shares.at(idle.share);
    Level& level = share.levels[static_cast<size_t>(idle.level)];
    auto it = level.queues.find(idle.queue);
    if (it != level.queues.end() && it->second.idle()) settle_idle(it->second);
    if (level.idle()) {
      while (!level.queues.empty()) drop(level.queues.begin()->second);
      level.now = level.top = 0;
      level.blocked_at = k_never;
    }
    if (!share.idle()) continue;
    // All its levels come back at the same time, so the most urgent of what comes next goes first.
    for (const Level& l : share.levels) share.now = std::max(share.now, l.time());
    share.blocked_at = k_never;
  }
  if (ready_lanes == 0 && running == 0) now = std::max(now, high);
}

void FairQueue::State::settle_idle(QueueNode& node) {
  node.blocked_at = k_never;
  if (node.time() <= node.level->now || node.queue->servers.empty()) return drop(node);
  node.level->ahead.emplace(node.time(), node.queue->number);
}

void FairQueue::State::drop(QueueNode& node) {
  Level& level = *node.level;
  Queue& queue = *node.queue;
  wake(node);
  queue.nodes.erase(std::find(queue.nodes.begin(), queue.nodes.end(), &node));
  level.queues.erase(queue.number);
  drop_if_unused(queue);
}

void FairQueue::State::drop_if_unused(Queue& queue) {
  if (!queue.nodes.empty() || !queue.servers.empty() || queue.paused || queue.dirty) return;
  queues.erase(queue.number);
}

}  // namespace fabric
