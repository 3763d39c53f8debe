// SPDX-License-Identifier: Apache-2.0
// What keeps a task from starting: each gate is shown and honoured.
#include <algorithm>

#include "fair_queue_sim.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

constexpr MonoTime k_now{};
const Lane k_lane{1, 1, Priority::normal, 0};

// One agent with one slot for queue 1, and a task.
FairQueue one_task() {
  FairQueue fair;
  fair.serve(1, 1, "p", {1}, true);
  fair.add_ready(k_lane, 1);
  return fair;
}

void check_shut(FairQueue& fair, Gate gate, const Lane& lane = k_lane) {
  CHECK(fair.gate_of(lane) == gate);
  CHECK_FALSE(fair.pick(k_now));
}

void check_free(FairQueue& fair, const Lane& lane = k_lane) {
  CHECK(fair.gate_of(lane) == Gate::none);
  const auto pick = fair.pick(k_now);
  REQUIRE(pick);
  CHECK(pick->queue == lane.queue);
  CHECK(std::count(pick->classes.begin(), pick->classes.end(), lane.slot_class) == 1);
}

// Starts what is picked.
FairQueue::Pick start(FairQueue& fair, uint64_t attempt) {
  const auto pick = fair.pick(k_now);
  REQUIRE(pick);
  const Lane lane{pick->queue, pick->share, pick->level, pick->classes.at(0)};
  fair.add_ready(lane, -1);
  fair.started(attempt, pick->agent, lane, k_now);
  return *pick;
}

}  // namespace

TEST_CASE("fair queue: a lane without tasks is empty") {
  FairQueue fair;
  check_shut(fair, Gate::empty);
  fair.serve(1, 1, "", {1}, true);
  check_shut(fair, Gate::empty);
  fair.add_ready(k_lane, 3);
  CHECK(fair.ready(k_lane) == 3);
  check_free(fair);
  fair.add_ready(k_lane, -5);
  CHECK(fair.ready(k_lane) == 0);
  check_shut(fair, Gate::empty);
  fair.add_ready({9, 9, Priority::low}, -1);
  CHECK(fair.ready({9, 9, Priority::low}) == 0);
}

TEST_CASE("fair queue: pauses") {
  FairQueue fair = one_task();
  check_free(fair);
  SECTION("of the workspace") {
    fair.pause_workspace(true);
    check_shut(fair, Gate::workspace_paused);
    fair.pause_workspace(false);
  }
  SECTION("of a level") {
    fair.pause_level(Priority::high, true);
    check_free(fair);
    fair.pause_level(Priority::normal, true);
    check_shut(fair, Gate::level_paused);
    fair.pause_level(Priority::normal, false);
  }
  SECTION("of a share") {
    fair.pause_share(2, true);
    check_free(fair);
    fair.pause_share(1, true);
    check_shut(fair, Gate::share_paused);
    fair.pause_share(1, false);
  }
  SECTION("of a queue, twice") {
    fair.pause_queue(1, true);
    fair.pause_queue(1, true);
    check_shut(fair, Gate::queue_paused);
    fair.pause_queue(1, false);
  }
  SECTION("of a queue before it has tasks") {
    fair.pause_queue(2, true);
    fair.serve(2, 1, "", {2}, true);
    fair.add_ready({2, 1, Priority::normal}, 1);
    CHECK(fair.gate_of({2, 1, Priority::normal}) == Gate::queue_paused);
    CHECK(fair.pick(k_now)->queue == 1);
  }
  check_free(fair);
}

TEST_CASE("fair queue: pressure holds back low, then normal") {
  FairQueue fair;
  fair.serve(1, 1, "", {1}, true);
  fair.serve(2, 1, "", {2}, true);
  fair.started(1, 2, {2, 1, Priority::critical}, k_now);  // something runs
  std::vector<Lane> lanes;
  for (int l = 0; l < k_priority_levels; ++l) lanes.push_back({1, 1, static_cast<Priority>(l)});
  for (uint32_t degree : {2U, 1U, 0U, 3U, 0U}) {
    fair.set_pressure(degree);
    for (const Lane& lane : lanes) {
      fair.add_ready(lane, 1);
      const bool waits = (lane.level == Priority::low && degree >= 1) ||
                         (lane.level == Priority::normal && degree >= 2);
      if (waits)
        check_shut(fair, Gate::pressure, lane);
      else
        check_free(fair, lane);
      fair.add_ready(lane, -1);
    }
  }
}

TEST_CASE("fair queue: pressure holds nothing back while nothing runs") {
  FairQueue fair = one_task();
  fair.set_pressure(2);
  check_free(fair);
  fair.serve(2, 1, "", {2}, true);
  fair.started(1, 2, {2, 1, Priority::low}, k_now);
  check_shut(fair, Gate::pressure);
  fair.ended(1, k_now);
  check_free(fair);
}

TEST_CASE("fair queue: agents") {
  FairQueue fair;
  fair.add_ready(k_lane, 3);
  check_shut(fair, Gate::no_agent);
  fair.serve(7, 2, "", {1, 7}, true);
  check_free(fair);
  start(fair, 1);
  start(fair, 2);
  check_shut(fair, Gate::agent_slots);
  CHECK(fair.running_of_agent(7) == 2);
  SECTION("one ends") {
    fair.ended(1, k_now);
    check_free(fair);
    fair.ended(1, k_now);  // again: not known any more
    CHECK(fair.running() == 1);
  }
  SECTION("it may do more") {
    fair.serve(7, 3, "", {1}, true);
    check_free(fair);
  }
  SECTION("it goes and what it runs counts on") {
    fair.withdraw(7);
    check_shut(fair, Gate::no_agent);
    CHECK(fair.running() == 2);
    CHECK(fair.running_of_agent(7) == 2);
    fair.serve(7, 2, "", {1}, true);
    check_shut(fair, Gate::agent_slots);
    fair.withdraw(7);
    fair.ended(1, k_now);
    fair.ended(2, k_now);
    CHECK(fair.running() == 0);
    CHECK(fair.running_of_agent(7) == 0);
  }
  SECTION("it serves other queues now") {
    fair.serve(7, 3, "", {7}, true);
    check_shut(fair, Gate::no_agent);
  }
}

TEST_CASE("fair queue: slots of a pool and of the workspace") {
  FairQueue fair;
  fair.set_pool_slots("p", 1);
  fair.set_workspace_slots(2);
  for (QueueNumber agent : {1U, 2U}) fair.serve(agent, 1, "p", {agent}, true);
  for (QueueNumber agent : {3U, 4U}) fair.serve(agent, 1, "", {agent}, true);
  const Lane other{2, 1, Priority::normal};
  const Lane free{3, 1, Priority::normal};
  const Lane last{4, 1, Priority::normal};
  fair.add_ready(k_lane, 1);
  start(fair, 1);
  fair.add_ready(other, 1);
  check_shut(fair, Gate::pool_slots, other);
  fair.add_ready(free, 1);
  check_free(fair, free);
  start(fair, 2);
  fair.add_ready(last, 1);
  check_shut(fair, Gate::workspace_slots, last);
  CHECK(fair.gate_of(other) == Gate::pool_slots);
  fair.ended(1, k_now);
  CHECK(fair.gate_of(other) == Gate::none);
  CHECK(fair.gate_of(last) == Gate::none);
  start(fair, 3);
  fair.set_workspace_slots(0);
  start(fair, 4);
  CHECK_FALSE(fair.pick(k_now));
}

TEST_CASE("fair queue: a pool follows its agent") {
  FairQueue fair;
  fair.set_pool_slots("a", 1);
  fair.serve(1, 2, "a", {1}, true);
  fair.add_ready(k_lane, 2);
  start(fair, 1);
  check_shut(fair, Gate::pool_slots);
  fair.serve(1, 2, "b", {1}, true);
  check_free(fair);
  fair.set_pool_slots("b", 1);
  check_shut(fair, Gate::pool_slots);
  fair.set_pool_slots("b", 2);
  check_free(fair);
}

TEST_CASE("fair queue: slots of several labels") {
  FairQueue fair;
  fair.serve(1, 9, "", {1}, true);
  fair.define_class(1, {{"gpu", 1}});
  fair.define_class(2, {{"gpu", 1}, {"net", 2}});
  const Lane gpu{1, 1, Priority::normal, 1};
  const Lane both{1, 1, Priority::normal, 2};
  fair.add_ready(gpu, 5);
  check_shut(fair, Gate::label_slots, gpu);  // nobody has said that there are any
  CHECK(fair.missing_label(1) == "gpu");
  fair.set_label_slots("gpu", 2);
  check_free(fair, gpu);
  fair.add_ready(both, 5);
  check_free(fair, gpu);
  CHECK(fair.gate_of(both) == Gate::label_slots);
  CHECK(fair.missing_label(2) == "net");
  CHECK(fair.missing_label(1).empty());
  CHECK(fair.pick(k_now)->classes == std::vector<uint32_t>{1});
  fair.set_label_slots("net", 3);
  CHECK(fair.pick(k_now)->classes == std::vector<uint32_t>{1, 2});
  fair.add_ready(both, -1);
  fair.started(1, 1, both, k_now);
  CHECK(fair.label_in_use("gpu") == 1);
  CHECK(fair.label_in_use("net") == 2);
  CHECK(fair.gate_of(both) == Gate::label_slots);
  start(fair, 2);
  check_shut(fair, Gate::label_slots, gpu);
  fair.add_ready(k_lane, 1);
  CHECK(fair.pick(k_now)->classes == std::vector<uint32_t>{0});  // what needs none goes on
  fair.define_class(2, {});  // what runs gives back what it took
  fair.ended(1, k_now);
  CHECK(fair.label_in_use("net") == 0);
  check_free(fair, gpu);
}

TEST_CASE("fair queue: an agent that is not automatic has to ask") {
  FairQueue fair;
  fair.serve(1, 1, "p", {1, 5}, false);
  fair.add_ready(k_lane, 1);
  fair.add_ready({5, 1, Priority::critical}, 1);
  CHECK_FALSE(fair.pick(k_now));
  CHECK_FALSE(fair.pick_for(2, k_now));
  CHECK(fair.gate_of(k_lane) == Gate::none);
  auto pick = fair.pick_for(1, k_now);
  REQUIRE(pick);
  CHECK(pick->agent == 1);
  CHECK(pick->queue == 5);
  SECTION("pauses hold") {
    fair.pause_queue(5, true);
    CHECK(fair.pick_for(1, k_now)->queue == 1);
    fair.pause_level(Priority::normal, true);
    CHECK_FALSE(fair.pick_for(1, k_now));
    fair.pause_level(Priority::normal, false);
    fair.pause_share(1, true);
    CHECK_FALSE(fair.pick_for(1, k_now));
  }
  SECTION("its slots, the pool's and the workspace's hold") {
    const Lane lane{5, 1, Priority::critical};
    fair.add_ready(lane, -1);
    fair.started(1, 1, lane, k_now);
    CHECK_FALSE(fair.pick_for(1, k_now));
    fair.serve(1, 2, "p", {1, 5}, false);
    CHECK(fair.pick_for(1, k_now)->queue == 1);
    fair.set_pool_slots("p", 1);
    CHECK_FALSE(fair.pick_for(1, k_now));
    fair.set_pool_slots("p", 0);
    fair.set_workspace_slots(1);
    CHECK_FALSE(fair.pick_for(1, k_now));
  }
}

TEST_CASE("fair queue: agents that ask are fair too, and blocked shares bring no credit") {
  FairQueue fair;
  fair.serve(1, 1, "", {1}, false);
  fair.serve(2, 1, "", {2}, true);
  fair.add_ready({1, 1, Priority::normal}, 1000);
  fair.add_ready({1, 2, Priority::normal}, 1000);
  fair.add_ready({2, 2, Priority::normal}, 1000);
  uint64_t attempt = 0;
  double now = 0;
  std::map<ShareNumber, int> counts;
  const auto once = [&](const FairQueue::Pick& pick) {
    const Lane lane{pick.queue, pick.share, pick.level, 0};
    fair.add_ready(lane, -1);
    fair.started(++attempt, pick.agent, lane, at_seconds(now));
    now += 1;
    fair.ended(attempt, at_seconds(now));
  };
  for (int i = 0; i < 500; ++i) once(*fair.pick(at_seconds(now)));  // share 2 only
  for (int i = 0; i < 100; ++i) {
    const auto pick = fair.pick_for(1, at_seconds(now));
    REQUIRE(pick);
    ++counts[pick->share];
    once(*pick);
  }
  CHECK(counts[1] >= 48);
  CHECK(counts[1] <= 52);
}

TEST_CASE("fair queue: a route's tasks go to the agent with the least to do") {
  FairQueue fair;
  for (QueueNumber agent : {1U, 2U, 3U}) fair.serve(agent, 50, "", {agent, 10}, true);
  fair.add_ready({10, 1, Priority::normal}, 100);
  for (uint64_t i = 1; i <= 100; ++i) start(fair, i);
  CHECK(fair.running_of_agent(1) == 34);
  CHECK(fair.running_of_agent(2) == 33);
  CHECK(fair.running_of_agent(3) == 33);
}

TEST_CASE("fair queue: the least part of its slots, not the least number") {
  FairQueue fair;
  fair.serve(1, 1, "a", {10}, true);
  fair.serve(2, 4, "b", {10}, true);
  fair.add_ready({10, 1, Priority::normal}, 5);
  std::vector<QueueNumber> agents;
  for (uint64_t i = 1; i <= 5; ++i) agents.push_back(start(fair, i).agent);
  CHECK(agents == std::vector<QueueNumber>{1, 2, 2, 2, 2});
}

TEST_CASE("fair queue: times are without charges of what runs, and say when they changed") {
  FairQueue fair({64, 16, 4, 1});
  fair.set_share_weight(1, 2);
  fair.serve(1, 2, "", {1}, true);
  fair.add_ready(k_lane, 2);
  start(fair, 1);
  start(fair, 2);
  CHECK(fair.times(1).share == 0);
  CHECK(fair.times(1).levels[2] == 0);
  CHECK(fair.take_changed_shares().empty());
  fair.set_share_weight(1, 7);  // what was charged at 2 is given back at 2
  fair.ended(1, at_seconds(8));
  CHECK(fair.take_changed_shares() == std::vector<ShareNumber>{1});
  CHECK(fair.take_changed_shares().empty());
  CHECK(fair.times(1).share == Approx(4));
  CHECK(fair.times(1).levels[2] == Approx(2));
  fair.ended(2, at_seconds(8));
  CHECK(fair.times(1).share == Approx(8));
  fair.take_changed_shares();
  for (double level : fair.times(1).levels) CHECK(level == Approx(4));  // idle: even
}
