// SPDX-License-Identifier: Apache-2.0
// Virtual time: a guess is charged when a task starts, as much again whenever it has run for what
// it was charged, and what it used when it ends.
#include "scheduler/fair_queue_state.hpp"

namespace fabric {

using namespace fair;

namespace {
constexpr double k_first_guess = 1;       // seconds
constexpr double k_least_guess = 0.001;   // a start is never free
constexpr double k_step_kept = 0.95;      // of the largest charge, at each start
constexpr double k_part_of_newest = 0.2;  // in the moving averages

void average_in(std::optional<double>& average, double seconds) {
  average = average ? *average + k_part_of_newest * (seconds - *average) : seconds;
}

Duration from_seconds(double seconds) {
  return Duration::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}
}  // namespace

double FairQueue::State::guess(const Queue& queue) const {
  return std::max(k_least_guess, queue.average.value_or(average.value_or(k_first_guess)));
}

// The virtual times that newcomers start at: where the node was that is served now. Among queues a
// little more. Queues come and go with agents: if each of them started where the one before it did,
// a queue that has run a task would wait for as long as there are new ones. So theirs moves on by
// what is served, divided by those waiting, as it would if all ran at once; not beyond the one that
// is furthest ahead.
void FairQueue::State::advance(QueueNode& node, double seconds) {
  Level& level = *node.level;
  Share& share = *level.share;
  const auto keep_largest = [seconds](double& largest, double weight) {
    largest = std::max(seconds / weight, largest * k_step_kept);
  };
  keep_largest(step, share.weight);
  keep_largest(share.step, weights[level.number]);
  keep_largest(level.step, 1);
  const auto reach = [](Node& each, double& parent_now, double leeway) {
    if (!each.startable) each.come_back(parent_now);
    parent_now = std::max(parent_now, each.time());
    each.lag = parent_now - each.time();
    if (!each.startable) each.owed = std::max(each.lag, leeway);
  };
  reach(share, now, share_leeway());
  reach(level, share.now, share.step);
  reach(node, level.now, level.step);
  level.top = std::max(level.top, node.time() + seconds);
  const auto waiting = static_cast<double>(level.open.size() + (node.startable ? 0 : 1));
  level.now = std::min(level.top, level.now + seconds / waiting);
  while (!level.ahead.empty() && level.ahead.begin()->first <= level.now)
    drop(level.queues.at(level.ahead.begin()->second));
}

void FairQueue::State::charge(Running& task, double seconds) {
  QueueNode& node = *task.node;
  task.charged += seconds;
  node.outstanding += seconds;
  if (node.startable) node.level->open[node.position].time = node.time();
  node.level->outstanding += seconds / weights[node.level->number];
  node.level->share->outstanding += seconds / task.share_weight;
  node.level->top = std::max(node.level->top, node.time());
  task.due = task.since + from_seconds(task.charged);
}

void FairQueue::State::charge_due(MonoTime until) {
  while (!due.empty() && due.begin()->first <= until) {
    const uint64_t attempt_id = due.begin()->second;
    due.erase(due.begin());
    Running& task = attempts.at(attempt_id);
    while (task.due <= until) charge(task, task.charged);
    due.emplace(task.due, attempt_id);
  }
}

void FairQueue::State::start(uint64_t attempt_id, QueueNumber agent_number, const Lane& lane,
                             MonoTime since, double charged, MonoTime until) {
  QueueNode& node = node_of(lane);
  wake(node);
  Running& task = attempts[attempt_id];
  task.agent = &agent_of(agent_number);
  task.node = &node;
  task.demands = class_of(lane.slot_class).demands;
  task.since = since;
  task.share_weight = node.level->share->weight;
  for (Node* each : {static_cast<Node*>(&node), static_cast<Node*>(node.level),
                     static_cast<Node*>(node.level->share)})
    ++each->running;
  charge(task, charged);
  while (task.due <= until) charge(task, task.charged);
  due.emplace(task.due, attempt_id);
  add_running(*task.agent, +1);
  add_in_use(task.demands, true);
}

// Corrects the charges to `seconds`, and forgets them.
void FairQueue::State::settle(Running& task, double seconds) {
  QueueNode& node = *task.node;
  Level& level = *node.level;
  Share& share = *level.share;
  const auto correct = [&](Node& each, double weight) {
    --each.running;
    each.settled += seconds / weight;
    // Sums of differences: nothing of their rounding is left when nothing runs.
    each.outstanding = each.running == 0 ? 0 : each.outstanding - task.charged / weight;
  };
  correct(node, 1);
  correct(level, weights[level.number]);
  correct(share, task.share_weight);
  if (node.startable) level.open[node.position].time = node.time();
  level.top = std::max(level.top, node.time());
  if (share.running == 0) high = std::max(high, share.time());
  average_in(node.queue->average, seconds);
  average_in(average, seconds);
  mark_changed(share);
}

void FairQueue::State::mark_changed(Share& share) {
  if (!std::exchange(share.changed, true)) changed.push_back(share.number);
}

void FairQueue::started(uint64_t attempt_id, QueueNumber agent, const Lane& lane, MonoTime now) {
  if (state_->attempts.contains(attempt_id)) return;
  QueueNode& node = state_->node_of(lane);
  state_->wake(node);
  const double seconds = state_->guess(*node.queue);
  state_->advance(node, seconds);
  state_->start(attempt_id, agent, lane, now, seconds, now);
}

void FairQueue::restore_running(uint64_t attempt_id, QueueNumber agent, const Lane& lane,
                                Duration elapsed, MonoTime now) {
  if (state_->attempts.contains(attempt_id)) return;
  const MonoTime since{now.ns - std::max<int64_t>(0, elapsed.ns)};
  state_->start(attempt_id, agent, lane, since, state_->guess(*state_->node_of(lane).queue), now);
}

void FairQueue::ended(uint64_t attempt_id, MonoTime now) {
  auto it = state_->attempts.find(attempt_id);
  if (it == state_->attempts.end()) return;
  Running& task = it->second;
  state_->due.erase({task.due, attempt_id});
  state_->settle(task, std::max(0.0, (now - task.since).to_seconds()));
  state_->note_idle(*task.node);
  state_->add_in_use(task.demands, false);
  state_->add_running(*task.agent, -1);
  state_->drop_if_unused(*task.agent);
  state_->attempts.erase(it);
}

void FairQueue::restore_times(ShareNumber number, const ShareTimes& times) {
  Share& share = state_->share_of(number);
  share.settled = times.share;
  for (Level& level : share.levels) level.settled = times.levels[level.number];
  share.now = *std::min_element(times.levels.begin(), times.levels.end());
  state_->high = std::max(state_->high, share.time());
}

ShareTimes FairQueue::times(ShareNumber number) const {
  auto it = state_->shares.find(number);
  if (it == state_->shares.end()) return {};
  const Share& share = it->second;
  ShareTimes times;
  times.share = share.settled;
  // One that idles says where it would start, so that share.now need not be kept.
  for (const Level& level : share.levels)
    times.levels[level.number] = level.idle() ? level.time_back(share.now) : level.settled;
  return times;
}

double FairQueue::virtual_time() const { return state_->now; }

void FairQueue::restore_virtual_time(double time) {
  state_->settle_idle();
  state_->apply();
  state_->now = std::max(state_->now, time);
  for (auto& [number, share] : state_->shares)
    if (!share.idle()) share.owed = std::max(0.0, state_->now - share.settled);
}

std::vector<ShareNumber> FairQueue::take_changed_shares() {
  state_->settle_idle();
  for (ShareNumber number : state_->changed) state_->shares.at(number).changed = false;
  std::sort(state_->changed.begin(), state_->changed.end());
  return std::exchange(state_->changed, {});
}

}  // namespace fabric
