// SPDX-License-Identifier: Apache-2.0
// Tasks of known length on a FairQueue, in time that jumps from end to end.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <vector>

#include "scheduler/fair_queue.hpp"

namespace fabric::test {

inline MonoTime at_seconds(double s) { return {static_cast<int64_t>(s * 1e9)}; }
inline Duration for_seconds(double s) { return {static_cast<int64_t>(s * 1e9)}; }

struct SimTask {
  Lane lane;
  double length = 1;
};

struct SimStart {
  Lane lane;
  QueueNumber agent = 0;
  double at = 0;
  double waited = 0;  // since it was the head of its lane
};

class Simulator {
 public:
  explicit Simulator(uint32_t slots) : slots_(slots) { fair.set_workspace_slots(slots); }

  FairQueue fair;
  double now = 0;
  std::vector<SimStart> starts;
  std::map<ShareNumber, double> used;  // seconds of slots
  std::function<void(const SimTask&)> on_start, on_end;

  // An agent with a queue of the same number.
  void add_agent(QueueNumber number, uint32_t slots = 1) {
    agents_[number] = slots;
    fair.serve(number, slots, "", {number}, true);
  }
  void set_weight(ShareNumber share, uint32_t weight) {
    weights_[share] = weight;
    fair.set_share_weight(share, weight);
  }
  void submit(const Lane& lane, double length, int count = 1) {
    if (waiting_[lane].empty()) head_since_[lane] = now;
    for (int i = 0; i < count; ++i) waiting_[lane].push_back({lane, length});
    fair.add_ready(lane, count);
  }
  void run_until(double end) {
    fill();
    while (!running_.empty() && running_.top().end <= end) {
      pass(running_.top().end - now);
      const Running ended = running_.top();
      running_.pop();
      live_.erase(ended.attempt);
      fair.ended(ended.attempt, at_seconds(now));
      if (on_end) on_end(ended.task);
      fill();
    }
    pass(end - now);
  }
  // Until nothing runs any more.
  void drain() {
    fill();
    while (!running_.empty()) run_until(running_.top().end);
  }

  // A new FairQueue is told what the store and the inits know, and goes on.
  void crash(bool with_virtual_time) {
    std::map<ShareNumber, ShareTimes> times;
    for (const auto& [share, unused] : used) times[share] = fair.times(share);
    const double virtual_time = fair.virtual_time();
    fair = FairQueue();
    fair.set_workspace_slots(slots_);
    for (const auto& [share, weight] : weights_) fair.set_share_weight(share, weight);
    for (const auto& [number, slots] : agents_) fair.serve(number, slots, "", {number}, true);
    for (const auto& [share, t] : times) fair.restore_times(share, t);
    for (const auto& [attempt, r] : live_)
      fair.restore_running(attempt, r.agent, r.task.lane, for_seconds(now - r.since),
                           at_seconds(now));
    for (const auto& [lane, tasks] : waiting_)
      fair.add_ready(lane, static_cast<int64_t>(tasks.size()));
    if (with_virtual_time) fair.restore_virtual_time(virtual_time);
  }

  [[nodiscard]] size_t waiting(const Lane& lane) const {
    auto it = waiting_.find(lane);
    return it == waiting_.end() ? 0 : it->second.size();
  }
  [[nodiscard]] const std::map<Lane, double>& head_since() const { return head_since_; }
  [[nodiscard]] const std::map<Lane, std::deque<SimTask>>& lanes() const { return waiting_; }
  [[nodiscard]] uint32_t running_of(ShareNumber share, Priority level) const {
    uint32_t count = 0;
    for (const auto& [attempt, r] : live_)
      count += r.task.lane.share == share && r.task.lane.level == level ? 1 : 0;
    return count;
  }

  void fill() {
    while (auto pick = fair.pick(at_seconds(now))) {
      REQUIRE(fair.running() < slots_);
      const Lane lane{pick->queue, pick->share, pick->level, pick->classes.at(0)};
      REQUIRE(waiting(lane) > 0);
      const SimTask task = waiting_[lane].front();
      waiting_[lane].pop_front();
      fair.add_ready(lane, -1);
      const uint64_t attempt = ++attempts_;
      fair.started(attempt, pick->agent, lane, at_seconds(now));
      starts.push_back({lane, pick->agent, now, now - head_since_[lane]});
      head_since_[lane] = now;
      const Running r{now + task.length, attempt, now, pick->agent, task};
      running_.push(r);
      live_[attempt] = r;
      if (on_start) on_start(task);
    }
  }

 private:
  struct Running {
    double end = 0;
    uint64_t attempt = 0;
    double since = 0;
    QueueNumber agent = 0;
    SimTask task;
    bool operator>(const Running& o) const {
      return end != o.end ? end > o.end : attempt > o.attempt;
    }
  };

  void pass(double seconds) {
    for (const auto& [attempt, r] : live_) used[r.task.lane.share] += seconds;
    now += seconds;
  }

  uint32_t slots_;
  uint64_t attempts_ = 0;
  std::map<Lane, std::deque<SimTask>> waiting_;
  std::map<Lane, double> head_since_;
  std::map<QueueNumber, uint32_t> agents_;
  std::map<ShareNumber, uint32_t> weights_;
  std::priority_queue<Running, std::vector<Running>, std::greater<>> running_;
  std::map<uint64_t, Running> live_;
};

}  // namespace fabric::test
