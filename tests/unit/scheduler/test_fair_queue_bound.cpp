// SPDX-License-Identifier: Apache-2.0
// The bound at the top of fair_queue.hpp, over random workloads and over the worst one known.
#include <random>

#include "fair_queue_sim.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

constexpr double k_longest = 10;  // seconds, L

struct Setting {
  uint32_t slots = 1;
  std::map<ShareNumber, uint32_t> weights;
};

// Q: queues of the lane's level that have tasks. R: tasks of it that run when the wait begins.
double bound(const Setting& s, const Lane& lane, double q, double r) {
  double all = 0;
  double least = s.weights.begin()->second;
  for (const auto& [share, weight] : s.weights) {
    all += weight;
    least = std::min<double>(least, weight);
  }
  double levels = 0;
  for (uint32_t weight : k_default_level_weights) levels += weight;
  const double level = k_default_level_weights[static_cast<size_t>(lane.level)];
  const double slots = s.slots;
  const auto shares = static_cast<double>(s.weights.size());
  const double own = all / s.weights.at(lane.share) * (levels / level * q * (1 + r) + 4 + slots);
  return 2 * k_longest * (1 + (own + shares * all / least + slots) / slots);
}

// Watches the head of each lane of a level of a share.
class Watch {
 public:
  Watch(Simulator& sim, Setting setting) : sim_(sim), setting_(std::move(setting)) {}

  // Before anything is started or submitted at this time.
  void look() {
    for (; seen_ < sim_.starts.size(); ++seen_) {
      const SimStart& start = sim_.starts[seen_];
      note(start.lane, start.waited);
      limits_.erase(start.lane);
    }
    for (const auto& [lane, tasks] : sim_.lanes()) {
      if (tasks.empty()) continue;
      double queues = 0;
      for (const auto& [other, waiting] : sim_.lanes())
        queues += !waiting.empty() && other.share == lane.share && other.level == lane.level;
      // The most that there were during its wait.
      double& limit = limits_[lane];
      limit =
          std::max(limit, bound(setting_, lane, queues, sim_.running_of(lane.share, lane.level)));
      note(lane, sim_.now - sim_.head_since().at(lane));
    }
  }
  [[nodiscard]] double worst() const { return worst_; }

 private:
  void note(const Lane& lane, double waited) {
    auto limit = limits_.find(lane);
    if (limit == limits_.end()) return;
    CAPTURE(lane.share, to_string(lane.level), lane.queue, waited, limit->second);
    REQUIRE(waited <= limit->second);
    worst_ = std::max(worst_, waited / limit->second);
  }

  Simulator& sim_;
  Setting setting_;
  std::map<Lane, double> limits_;
  size_t seen_ = 0;
  double worst_ = 0;
};

double random_workload(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return static_cast<uint32_t>(random() % n); };
  Setting setting;
  setting.slots = std::array{1U, 2U, 3U, 8U}[below(4)];
  Simulator sim(setting.slots);
  const uint32_t agents = 1 + below(3);
  for (QueueNumber a = 1; a <= agents; ++a) sim.add_agent(a, setting.slots);
  const bool uniform = below(2) == 0;
  const auto length = [&] {
    if (uniform) return k_longest * (1 + below(1000)) / 1000;
    return below(5) == 0 ? k_longest : 0.5;
  };
  std::vector<Lane> flooding;
  std::vector<Lane> rare;
  for (ShareNumber share = 1; share <= 1 + below(4); ++share) {
    setting.weights[share] = 1 + below(3);
    sim.set_weight(share, setting.weights[share]);
    for (QueueNumber queue = 1; queue <= agents; ++queue)
      for (int l = 0; l < k_priority_levels; ++l) {
        if (below(2) == 0) continue;
        (below(3) == 0 ? rare : flooding).push_back({queue, share, static_cast<Priority>(l)});
      }
  }
  Watch watch(sim, setting);
  for (const Lane& lane : flooding) sim.submit(lane, length(), 3);
  for (int i = 0; i < 4000; ++i) {
    watch.look();
    for (const Lane& lane : flooding)
      if (sim.waiting(lane) < 2) sim.submit(lane, length(), 2);
    if (!rare.empty() && below(20) == 0) sim.submit(rare[below(rare.size())], length());
    sim.run_until(sim.now + 1);
  }
  watch.look();
  return watch.worst();
}

}  // namespace

TEST_CASE("fair queue: the head of a lane waits no longer than the bound says") {
  double worst = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    worst = std::max(worst, random_workload(seed));
  }
  INFO("the longest wait is " << worst << " of its bound");
  CHECK(worst > 0.25);  // a bound that nothing comes near would say nothing
}

TEST_CASE("fair queue: twenty producers of critical tasks and one low task") {
  const uint32_t slots = GENERATE(1U, 2U, 8U);
  Setting setting{slots, {{1, 1}}};
  Simulator sim(slots);
  for (QueueNumber a = 1; a <= 21; ++a) sim.add_agent(a, slots);
  const Lane low{21, 1, Priority::low};
  // Each low task comes when the one before has ended: the others have to draw level first.
  sim.on_start = [&](const SimTask& task) {
    if (task.lane.level != Priority::low) sim.submit(task.lane, task.length);
  };
  sim.on_end = [&](const SimTask& task) {
    if (task.lane.level == Priority::low) sim.submit(low, k_longest);
  };
  sim.submit(low, k_longest);
  for (int l = 0; l < 3; ++l)
    for (QueueNumber a = 1; a <= 20; ++a)
      sim.submit({a, 1, static_cast<Priority>(l)}, k_longest, 5);
  const double limit = bound(setting, low, 1, 0);
  sim.run_until(10 * limit);
  INFO(slots << " slots");
  int count = 0;
  double longest = 0;
  for (const SimStart& start : sim.starts) {
    if (start.lane.level != Priority::low) continue;
    ++count;
    longest = std::max(longest, start.waited);
  }
  CHECK(count >= 10);
  CHECK(longest <= limit);
  CHECK(longest >= limit / 3);
}
