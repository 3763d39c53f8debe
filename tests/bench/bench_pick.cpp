// SPDX-License-Identifier: Apache-2.0
// Choosing the next task: one decision is a pick, the task's start and the end of another, on a
// queue of 100,000 ready tasks for 1,000 agents. The floor is a heap of as many tasks that pops one
// and pushes one, and knows nothing of agents, shares, limits or fairness.
#include <deque>
#include <queue>
#include <random>

#include "bench_support.hpp"
#include "scheduler/fair_queue.hpp"

namespace fabric::bench {
namespace {

struct Load {
  std::string name;
  uint32_t agents;
  uint32_t shares;
  uint32_t levels;
  uint32_t tasks;
  uint32_t slots;      // of the workspace; 0: all agents but one are busy
  bool route = false;  // all tasks wait for whichever agent is free
  uint32_t gpu = 0;    // slots of a label that every second lane needs; 0: none does
  uint32_t pools = 0;  // slots of each of two pools; 0: one pool without limit
};

constexpr uint32_t k_decisions = 20000;
constexpr int64_t k_step = 1'000'000;  // ns of virtual time between decisions

struct Started {
  uint64_t attempt;
  Lane lane;
};

class Bed {
 public:
  explicit Bed(const Load& load) : load_(load) {
    fair_.set_workspace_slots(load.slots);
    const QueueNumber route = load.agents + 1;
    for (QueueNumber a = 1; a <= load.agents; ++a)
      fair_.serve(a, 1, load.pools != 0 && a % 2 == 0 ? "even" : "odd", {a, route}, true);
    fair_.set_pool_slots("even", load.pools);
    fair_.set_pool_slots("odd", load.pools);
    if (load.gpu != 0) fair_.define_class(1, {{"gpu", 1}});
    fair_.set_label_slots("gpu", load.gpu);
    std::vector<Lane> lanes;
    for (QueueNumber q = 1; q <= (load.route ? 1 : load.agents); ++q)
      for (ShareNumber s = 1; s <= load.shares; ++s)
        for (uint32_t l = 0; l < load.levels; ++l)
          lanes.push_back({load.route ? route : q, s, static_cast<Priority>(l),
                           load.gpu != 0 ? (q + l) % 2 : 0});
    const auto each = std::max<size_t>(1, load.tasks / lanes.size());
    for (const Lane& lane : lanes) fair_.add_ready(lane, static_cast<int64_t>(each));
    lanes_ = lanes.size();
    while (start()) now_.ns += 1000;
    std::shuffle(running_.begin(), running_.end(), random_);
  }

  // One ends, what may start starts. What has started is there again: the load stays as it is.
  void decide() {
    now_.ns += k_step;
    end();
    if (!start()) throw Failure(load_.name + ": nothing starts");
  }
  [[nodiscard]] size_t lanes() const { return lanes_; }

 private:
  void end() {
    // Now and then another than the one that started first.
    if (random_() % 4 == 0) std::swap(running_.front(), running_[random_() % running_.size()]);
    fair_.ended(running_.front().attempt, now_);
    fair_.add_ready(running_.front().lane, 1);
    running_.pop_front();
  }
  bool start() {
    const auto pick = fair_.pick(now_);
    if (!pick) return false;
    const Lane lane{pick->queue, pick->share, pick->level, pick->classes.front()};
    fair_.add_ready(lane, -1);
    fair_.started(++attempts_, pick->agent, lane, now_);
    running_.push_back({attempts_, lane});
    return true;
  }

  Load load_;
  FairQueue fair_;
  MonoTime now_;
  uint64_t attempts_ = 0;
  size_t lanes_ = 0;
  std::deque<Started> running_;
  std::mt19937 random_{1};
};

template <class Work>
double best_ns(Work work) {
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const int64_t begin = now_ns();
    for (uint32_t i = 0; i < k_decisions; ++i) work();
    const double each = static_cast<double>(now_ns() - begin) / k_decisions;
    best = round == 0 ? each : std::min(best, each);
  }
  return best;
}

// Of a task: its level, its number.
double heap_ns(uint32_t tasks) {
  using Entry = std::pair<uint32_t, uint64_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap;
  uint64_t number = 0;
  for (; number < tasks; ++number) heap.emplace(static_cast<uint32_t>(number % 4), number);
  return best_ns([&] {
    const Entry first = heap.top();
    heap.pop();
    heap.emplace(first.first, ++number);
  });
}

void body(const Options&, Report& report) {
  const double heap = heap_ns(100'000);
  const Row& floor = report.figure("std::priority_queue of 100,000, pop and push", "ns", heap);
  const std::vector<Load> loads{
      {"10 agents, 10 tasks each, 5 slots", 10, 2, 2, 100, 5},
      {"1,000 agents, 100,000 tasks, all but one busy", 1000, 2, 4, 100'000, 0},
      {"  one share, one level", 1000, 1, 1, 100'000, 0},
      {"1,000 agents, 100,000 tasks, 16 slots", 1000, 2, 4, 100'000, 16},
      {"  one share, one level", 1000, 1, 1, 100'000, 16},
      {"  1,000 shares, one level each, in a route", 1000, 1000, 1, 100'000, 16, true},
      {"  all in a route, all agents but one busy", 1000, 1000, 4, 100'000, 0, true},
      {"  half of the lanes need one of 2 labels, 16 slots", 1000, 2, 4, 100'000, 16, false, 2},
      {"  two pools of 8 slots", 1000, 2, 4, 100'000, 0, false, 0, 8},
  };
  for (const Load& load : loads) {
    Bed bed(load);
    Row& row = report.figure(load.name + " (" + std::to_string(bed.lanes()) + " lanes)", "ns",
                             best_ns([&] { bed.decide(); }));
    row.beside(floor);
    if (load.gpu == 0 && load.pools == 0) row.goal_at_most(20'000);
  }
  report.note("labels and pools that fill and empty open and close thousands of lanes each time");
  report.note("a decision: ended, add_ready(+1), pick, add_ready(-1), started");
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "pick", 60, fabric::bench::body);
}
