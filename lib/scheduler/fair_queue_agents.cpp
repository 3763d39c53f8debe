// SPDX-License-Identifier: Apache-2.0
// Agents with their pools, and labels: what there is to start tasks on.
#include "scheduler/fair_queue_state.hpp"

namespace fabric {

using namespace fair;

Pool& FairQueue::State::pool_of(const std::string& name) {
  Pool& pool = pools[name];
  pool.name = name;
  return pool;
}

Agent& FairQueue::State::agent_of(QueueNumber number) {
  auto [it, made] = agents.try_emplace(number);
  if (made) {
    it->second.number = number;
    it->second.pool = &pool_of("");
  }
  return it->second;
}

// Puts the agent where pick() looks for free ones, with its load as it is now.
void FairQueue::State::relist(Agent& agent) {
  const FreeAgent before{agent.load, agent.number};
  const bool was_listed = agent.listed;
  agent.listed = agent.automatic && agent.has_slot();
  if (!was_listed && !agent.listed) return;
  if (agent.listed) agent.load = static_cast<double>(agent.running) / agent.slots;
  for (Queue* queue : agent.queues) {
    auto free = std::find_if(queue->free.begin(), queue->free.end(),
                             [&](const FreeOfPool& f) { return f.pool == agent.pool; });
    const bool was_empty = free->agents.empty();
    if (was_listed) free->agents.erase(before);
    if (agent.listed) free->agents.insert({agent.load, agent.number});
    if (was_empty == free->agents.empty()) continue;
    touch(*queue);
    if (!queue->paused && queue->ready_lanes != 0) count_live(*agent.pool, was_empty);
  }
}

// From all that it serves; what it runs stays.
void FairQueue::State::leave(Agent& agent) {
  agent.present = false;
  relist(agent);
  Pool& pool = *agent.pool;
  for (Queue* queue : std::exchange(agent.queues, {})) {
    std::erase(queue->servers, &agent);
    auto of_pool = pool.queues.find(queue->number);
    if (--of_pool->second == 0) {
      pool.queues.erase(of_pool);
      std::erase_if(queue->free, [&](const FreeOfPool& f) { return f.pool == &pool; });
    }
    if (!queue->servers.empty()) continue;
    // Whether its idle nodes stay is asked anew.
    for (QueueNode* node : queue->nodes) note_idle(*node);
    drop_if_unused(*queue);
  }
}

void FairQueue::State::join(Agent& agent, std::vector<QueueNumber> queue_numbers) {
  std::sort(queue_numbers.begin(), queue_numbers.end());
  queue_numbers.erase(std::unique(queue_numbers.begin(), queue_numbers.end()), queue_numbers.end());
  for (QueueNumber number : queue_numbers) {
    Queue& queue = queue_of(number);
    agent.queues.push_back(&queue);
    queue.servers.push_back(&agent);
    if (++agent.pool->queues[number] == 1) queue.free.push_back({agent.pool, {}});
  }
  agent.present = true;
  relist(agent);
}

void FairQueue::State::pool_changed(Pool& pool, bool was_full) {
  if (pool.full() == was_full) return;
  live_queues = was_full ? live_queues + pool.live : live_queues - pool.live;
  if (!std::exchange(pool.dirty, true)) dirty_pools.push_back(&pool);
}

// Not while it is listed in queues.
void FairQueue::State::move_to(Agent& agent, Pool& pool) {
  const auto move = [&](Pool& where, uint32_t running_there) {
    const bool was_full = where.full();
    where.running = running_there;
    pool_changed(where, was_full);
  };
  move(*agent.pool, agent.pool->running - agent.running);
  agent.pool = &pool;
  move(pool, pool.running + agent.running);
}

void FairQueue::State::add_running(Agent& agent, int change) {
  const bool was_full = agent.pool->full();
  const auto add = static_cast<uint32_t>(change);  // modulo 2^32: also one less
  const bool was_idle = running == 0;
  running += add;
  if (pressure > 0 && was_idle != (running == 0)) refresh_levels();
  agent.running += add;
  agent.pool->running += add;
  pool_changed(*agent.pool, was_full);
  relist(agent);
}

void FairQueue::State::drop_if_unused(Agent& agent) {
  if (!agent.present && agent.running == 0) agents.erase(agent.number);
}

bool fair::has_free(const LabelDemand& demand) {
  return demand.label->in_use + demand.count <= demand.label->slots;
}

bool fair::all_free(const Demands& demands) {
  return !demands || std::all_of(demands->begin(), demands->end(), has_free);
}

void FairQueue::State::check(Class& of_class) {
  const bool open = all_free(of_class.demands);
  if (open == std::exchange(of_class.open, open)) return;
  open_lanes = open ? open_lanes + of_class.nodes.size() : open_lanes - of_class.nodes.size();
  touch(of_class);
}

void FairQueue::State::add_in_use(const Demands& demands, bool more) {
  if (!demands) return;
  for (const LabelDemand& demand : *demands) {
    Label& label = *demand.label;
    label.in_use = more ? label.in_use + demand.count : label.in_use - demand.count;
    for (Class* of_class : label.classes) check(*of_class);
  }
}

void FairQueue::set_workspace_slots(uint32_t slots) { state_->slots = slots; }

void FairQueue::set_pool_slots(const std::string& name, uint32_t slots) {
  Pool& pool = state_->pool_of(name);
  const bool was_full = pool.full();
  pool.slots = slots;
  state_->pool_changed(pool, was_full);
}

void FairQueue::set_label_slots(const std::string& name, uint32_t slots) {
  Label& label = state_->labels[name];
  label.slots = slots;
  for (Class* of_class : label.classes) state_->check(*of_class);
}

void FairQueue::define_class(uint32_t slot_class, std::vector<SlotDemand> demands) {
  Class& of_class = state_->class_of(slot_class);
  if (of_class.demands)
    for (const LabelDemand& demand : *of_class.demands)
      std::erase(demand.label->classes, &of_class);
  std::map<std::string, uint32_t> counts;
  for (const SlotDemand& demand : demands) counts[demand.label] += demand.count;
  std::vector<LabelDemand> known;
  for (const auto& [name, count] : counts) {
    Label& label = state_->labels[name];
    label.classes.push_back(&of_class);
    known.push_back({name, &label, count});
  }
  of_class.demands = std::make_shared<const std::vector<LabelDemand>>(std::move(known));
  state_->check(of_class);
}

void FairQueue::serve(QueueNumber number, uint32_t slots, const std::string& pool,
                      std::vector<QueueNumber> queues, bool automatic) {
  Agent& agent = state_->agent_of(number);
  state_->leave(agent);
  state_->move_to(agent, state_->pool_of(pool));
  agent.slots = slots;
  agent.automatic = automatic;
  state_->join(agent, std::move(queues));
}

void FairQueue::withdraw(QueueNumber number) {
  auto it = state_->agents.find(number);
  if (it == state_->agents.end()) return;
  state_->leave(it->second);
  state_->drop_if_unused(it->second);
}

uint32_t FairQueue::running() const { return state_->running; }

uint32_t FairQueue::running_of_agent(QueueNumber agent) const {
  auto it = state_->agents.find(agent);
  return it == state_->agents.end() ? 0 : it->second.running;
}

uint32_t FairQueue::label_in_use(const std::string& name) const {
  auto it = state_->labels.find(name);
  return it == state_->labels.end() ? 0 : it->second.in_use;
}

}  // namespace fabric
