// SPDX-License-Identifier: Apache-2.0
// Random operations against a plain model that counts: limits hold, nothing that may start is left
// waiting, nothing is made up, and nothing depends on anything but what was said.
#include <cstdlib>
#include <random>

#include "fair_queue_sim.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

constexpr uint32_t k_queues = 6;
constexpr uint32_t k_agents = 5;
constexpr uint32_t k_shares = 4;
constexpr uint32_t k_classes = 3;

struct ModelAgent {
  uint32_t slots = 0;
  std::string pool;
  std::set<QueueNumber> queues;
  bool automatic = false;
  bool present = false;
  uint32_t running = 0;
};

struct ModelTask {
  uint64_t attempt;
  QueueNumber agent;
  Lane lane;
};

class Run {
 public:
  explicit Run(uint64_t seed) : random_(seed) {
    for (FairQueue* fair : both()) {
      fair->define_class(1, {{"a", 1}});
      fair->define_class(2, {{"a", 1}, {"b", 2}});
    }
  }

  void step() {
    now_ += static_cast<double>(below(100)) / 50;
    switch (below(14)) {
      case 0:
      case 1:
      case 2:
        return add();
      case 3:
        return remove();
      case 4:
        return serve();
      case 5:
        return withdraw();
      case 6:
        return limits();
      case 7:
        return pauses();
      case 8:
        return ask();
      case 9:
      case 10:
        return end();
      default:
        return pick();
    }
  }

  // Counts agree, and each lane says why it waits.
  void compare() {
    CHECK(first_.running() == tasks_.size());
    CHECK(first_.label_in_use("a") == in_use("a"));
    CHECK(first_.label_in_use("b") == in_use("b"));
    for (const auto& [number, agent] : agents_)
      CHECK(first_.running_of_agent(number) == agent.running);
    for (const auto& [lane, count] : ready_) CHECK(first_.ready(lane) == count);
    CHECK(first_.take_changed_shares() == second_.take_changed_shares());
  }

  // All ends: nothing is held any more.
  void finish() {
    while (!tasks_.empty()) end();
    compare();
  }

 private:
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  std::array<FairQueue*, 2> both() { return {&first_, &second_}; }
  [[nodiscard]] MonoTime now() const { return at_seconds(now_); }
  template <class Do>
  void tell(Do act) {
    for (FairQueue* fair : both()) act(*fair);
  }

  Lane any_lane() {
    return {1 + below(k_queues), 1 + below(k_shares), static_cast<Priority>(below(4)),
            below(k_classes)};
  }
  void add() {
    const Lane lane = any_lane();
    const uint32_t count = 1 + below(3);
    ready_[lane] += count;
    tell([&](FairQueue& f) { f.add_ready(lane, count); });
  }
  void remove() {
    const Lane lane = any_lane();
    ready_[lane] -= std::min<uint64_t>(ready_[lane], 2);
    tell([&](FairQueue& f) { f.add_ready(lane, -2); });
  }
  void serve() {
    const QueueNumber number = 1 + below(k_agents);
    ModelAgent& agent = agents_[number];
    agent.slots = below(4);
    agent.pool = below(2) == 0 ? "p" : "q";
    agent.automatic = below(4) != 0;
    agent.present = true;
    agent.queues.clear();
    for (uint32_t n = below(4); n > 0; --n) agent.queues.insert(1 + below(k_queues));
    tell([&](FairQueue& f) {
      f.serve(number, agent.slots, agent.pool, {agent.queues.begin(), agent.queues.end()},
              agent.automatic);
    });
  }
  void withdraw() {
    const QueueNumber number = 1 + below(k_agents);
    agents_[number].present = false;
    tell([&](FairQueue& f) { f.withdraw(number); });
  }
  void limits() {
    const uint32_t slots = below(5);
    switch (below(4)) {
      case 0:
        slots_ = slots;
        return tell([&](FairQueue& f) { f.set_workspace_slots(slots); });
      case 1:
        pools_["p"] = slots;
        return tell([&](FairQueue& f) { f.set_pool_slots("p", slots); });
      case 2: {
        const std::string label = below(2) == 0 ? "a" : "b";
        labels_[label] = slots;
        return tell([&](FairQueue& f) { f.set_label_slots(label, slots); });
      }
      default: {
        const ShareNumber share = 1 + below(k_shares);
        return tell([&](FairQueue& f) { f.set_share_weight(share, slots); });
      }
    }
  }
  void pauses() {
    const bool on = below(3) == 0;
    const uint32_t which = below(5);
    const uint32_t n = below(4);
    if (which == 0) paused_ = on;
    if (which == 1) level_paused_[n] = on;
    if (which == 2) share_paused_[n + 1] = on;
    if (which == 3) queue_paused_[n + 1] = on;
    if (which == 4) pressure_ = on ? n : 0;
    tell([&](FairQueue& f) {
      if (which == 0) f.pause_workspace(on);
      if (which == 1) f.pause_level(static_cast<Priority>(n), on);
      if (which == 2) f.pause_share(n + 1, on);
      if (which == 3) f.pause_queue(n + 1, on);
      if (which == 4) f.set_pressure(pressure_);
    });
  }

  [[nodiscard]] uint32_t demand(uint32_t slot_class, const std::string& label) const {
    if (label == "a") return slot_class >= 1 ? 1 : 0;
    return slot_class == 2 ? 2 : 0;
  }
  [[nodiscard]] uint32_t in_use(const std::string& label) const {
    uint32_t sum = 0;
    for (const ModelTask& task : tasks_) sum += demand(task.lane.slot_class, label);
    return sum;
  }
  [[nodiscard]] uint32_t in_pool(const std::string& pool) const {
    uint32_t sum = 0;
    for (const auto& [number, agent] : agents_) sum += agent.pool == pool ? agent.running : 0;
    return sum;
  }
  // The gate as the contract has it; `asking`: only this agent counts.
  Gate gate(const Lane& lane, bool automatic_only, QueueNumber asking = 0) {
    const auto l = static_cast<size_t>(lane.level);
    if (ready_[lane] == 0) return Gate::empty;
    if (paused_) return Gate::workspace_paused;
    if (level_paused_[l]) return Gate::level_paused;
    if (share_paused_[lane.share]) return Gate::share_paused;
    if (queue_paused_[lane.queue]) return Gate::queue_paused;
    if (first_.running() > 0 && ((l == 3 && pressure_ >= 1) || (l == 2 && pressure_ >= 2)))
      return Gate::pressure;
    Gate nearest = Gate::no_agent;
    for (const auto& [number, agent] : agents_) {
      if (!agent.present || !agent.queues.contains(lane.queue)) continue;
      if ((automatic_only && !agent.automatic) || (asking != 0 && asking != number)) continue;
      const uint32_t limit = pools_[agent.pool];
      Gate of_agent = Gate::agent_slots;
      if (agent.running < agent.slots)
        of_agent = limit != 0 && in_pool(agent.pool) >= limit ? Gate::pool_slots : Gate::none;
      if (nearest == Gate::no_agent || of_agent == Gate::none) nearest = of_agent;
      if (nearest == Gate::agent_slots) nearest = of_agent;
    }
    if (nearest != Gate::none) return nearest;
    if (slots_ != 0 && tasks_.size() >= slots_) return Gate::workspace_slots;
    for (const std::string label : {"a", "b"}) {
      const uint32_t needed = demand(lane.slot_class, label);
      if (needed != 0 && in_use(label) + needed > labels_[label]) return Gate::label_slots;
    }
    return Gate::none;
  }

  void check_pick(const FairQueue::Pick& pick, bool automatic_only, QueueNumber asking) {
    REQUIRE_FALSE(pick.classes.empty());
    for (uint32_t slot_class = 0; slot_class < k_classes; ++slot_class) {
      const Lane lane{pick.queue, pick.share, pick.level, slot_class};
      const bool offered = std::count(pick.classes.begin(), pick.classes.end(), slot_class) == 1;
      REQUIRE(offered == (gate(lane, automatic_only, asking) == Gate::none));
    }
    const ModelAgent& agent = agents_.at(pick.agent);
    REQUIRE((agent.present && agent.running < agent.slots));
    REQUIRE(agent.queues.contains(pick.queue));
    if (!automatic_only) return;
    REQUIRE(agent.automatic);
    // No free one has less to do.
    for (const auto& [number, other] : agents_) {
      if (!other.present || !other.automatic || !other.queues.contains(pick.queue)) continue;
      const uint32_t limit = pools_[other.pool];
      if (other.running >= other.slots || (limit != 0 && in_pool(other.pool) >= limit)) continue;
      const uint32_t mine = agent.running * other.slots;
      const uint32_t its = other.running * agent.slots;
      REQUIRE((mine < its || (mine == its && pick.agent <= number)));
    }
  }

  void start(const FairQueue::Pick& pick) {
    const Lane lane{pick.queue, pick.share, pick.level,
                    pick.classes[below(static_cast<uint32_t>(pick.classes.size()))]};
    --ready_[lane];
    ++agents_[pick.agent].running;
    tasks_.push_back({++attempts_, pick.agent, lane});
    tell([&](FairQueue& f) {
      f.add_ready(lane, -1);
      f.started(attempts_, pick.agent, lane, now());
    });
  }

  void same(const std::optional<FairQueue::Pick>& a, const std::optional<FairQueue::Pick>& b) {
    REQUIRE(a.has_value() == b.has_value());
    if (!a) return;
    REQUIRE(std::tie(a->agent, a->queue, a->share, a->level, a->classes) ==
            std::tie(b->agent, b->queue, b->share, b->level, b->classes));
  }

  void pick() {
    const auto picked = first_.pick(now());
    same(picked, first_.pick(now()));  // a pick changes nothing
    same(picked, second_.pick(now()));
    for (auto& [lane, count] : ready_) {
      REQUIRE(first_.gate_of(lane) == gate(lane, false));
      if (!picked) REQUIRE(gate(lane, true) != Gate::none);
    }
    if (!picked) return;
    check_pick(*picked, true, 0);
    start(*picked);
  }

  void ask() {
    const QueueNumber agent = 1 + below(k_agents);
    const auto picked = first_.pick_for(agent, now());
    same(picked, second_.pick_for(agent, now()));
    if (!picked) {
      for (auto& [lane, count] : ready_) REQUIRE(gate(lane, false, agent) != Gate::none);
      return;
    }
    REQUIRE(picked->agent == agent);
    check_pick(*picked, false, agent);
    start(*picked);
  }

  void end() {
    if (tasks_.empty()) return;
    const auto at = tasks_.begin() + below(static_cast<uint32_t>(tasks_.size()));
    --agents_[at->agent].running;
    const uint64_t attempt = at->attempt;
    tasks_.erase(at);
    tell([&](FairQueue& f) { f.ended(attempt, now()); });
  }

  std::mt19937_64 random_;
  FairQueue first_, second_;
  double now_ = 0;
  uint64_t attempts_ = 0;
  std::map<Lane, uint64_t> ready_;
  std::map<QueueNumber, ModelAgent> agents_;
  std::map<std::string, uint32_t> pools_, labels_;
  std::vector<ModelTask> tasks_;
  uint32_t slots_ = 0, pressure_ = 0;
  bool paused_ = false;
  std::map<size_t, bool> level_paused_, share_paused_, queue_paused_;
};

}  // namespace

TEST_CASE("fair queue: random operations keep to what was said") {
  const char* seeds = std::getenv("FABRIC_SEEDS");
  const uint64_t last = seeds ? std::strtoull(seeds, nullptr, 10) : 40;
  for (uint64_t seed = 1; seed <= last; ++seed) {
    INFO("seed " << seed);
    Run run(seed);
    for (int i = 0; i < 3000; ++i) {
      run.step();
      if (i % 50 == 0) run.compare();
    }
    run.finish();
  }
}
