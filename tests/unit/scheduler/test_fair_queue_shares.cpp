// SPDX-License-Identifier: Apache-2.0
// Who gets how much, and in which order, over simulated hours.
#include <algorithm>
#include <random>

#include "fair_queue_sim.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

constexpr auto k_normal = Priority::normal;

// Adds what has started again, so that its lane never runs dry.
void always_backlogged(Simulator& sim, const std::vector<SimTask>& tasks) {
  for (const SimTask& task : tasks) sim.submit(task.lane, task.length, 50);
  sim.on_start = [&sim](const SimTask& task) { sim.submit(task.lane, task.length); };
}

double share_of(const Simulator& sim, ShareNumber share) {
  double all = 0;
  for (const auto& [number, seconds] : sim.used) all += seconds;
  return sim.used.at(share) / all;
}

std::string order(const Simulator& sim, size_t from) {
  std::string levels;
  for (size_t i = from; i < sim.starts.size(); ++i)
    levels += std::string(to_string(sim.starts[i].lane.level)) + " ";
  return levels;
}

}  // namespace

TEST_CASE("fair queue: many long tasks take no more than few short ones of another share") {
  const uint32_t slots = GENERATE(1U, 2U, 8U);
  INFO(slots << " slots");
  Simulator sim(slots);
  sim.add_agent(1, 8);
  sim.add_agent(2, 8);
  // 100 times the tasks, each ten times as long. The light one always has a few.
  sim.submit({1, 1, k_normal}, 10, 10000);
  for (int i = 0; i < 16; ++i) sim.submit({2, 2, k_normal}, 1);
  sim.on_start = [&](const SimTask& t) {
    if (t.lane.share == 2) sim.submit(t.lane, t.length);
  };
  sim.run_until(2000);
  CHECK(share_of(sim, 2) == Approx(0.5).margin(0.025));
  // It waits for a slot, which takes at most one long task, and for the other share to draw level:
  // for each of its slots at most one long task.
  double longest = 0;
  for (const SimStart& start : sim.starts)
    if (start.lane.share == 2) longest = std::max(longest, start.waited);
  CHECK(longest <= 20);
}

TEST_CASE(
    "fair queue: a share that now and then has one short task does not wait for the heavy one") {
  Simulator sim(2);
  sim.add_agent(1, 8);
  sim.add_agent(2, 8);
  sim.submit({1, 1, k_normal}, 10, 10000);
  for (int i = 0; i < 100; ++i) {
    sim.run_until(sim.now + 17.3);
    sim.submit({2, 2, k_normal}, 1);
  }
  sim.run_until(sim.now + 20);
  int seen = 0;
  for (const SimStart& start : sim.starts) {
    if (start.lane.share != 2) continue;
    ++seen;
    REQUIRE(start.waited <= 10);  // for a slot, no more
  }
  CHECK(seen == 100);
}

TEST_CASE("fair queue: weights divide the time") {
  const uint32_t slots = GENERATE(1U, 2U, 8U);
  Simulator sim(slots);
  sim.add_agent(1, 8);
  sim.set_weight(1, 3);
  always_backlogged(sim, {{{1, 1, k_normal}, 3}, {{1, 2, k_normal}, 5}});
  sim.run_until(4000);
  CHECK(sim.used[1] / sim.used[2] == Approx(3).epsilon(0.05));
}

TEST_CASE("fair queue: levels of a share divide its time 64 to 16 to 4 to 1") {
  Simulator sim(4);
  sim.add_agent(1, 4);
  std::vector<SimTask> tasks;
  for (int l = 0; l < k_priority_levels; ++l)
    tasks.push_back({{1, 1, static_cast<Priority>(l)}, 2});
  std::map<Priority, double> counts;
  always_backlogged(sim, tasks);
  sim.run_until(85 * 50);
  for (const SimStart& start : sim.starts) counts[start.lane.level] += 1;
  const double all = static_cast<double>(sim.starts.size());
  CHECK(counts[Priority::critical] / all == Approx(64.0 / 85).epsilon(0.02));
  CHECK(counts[Priority::high] / all == Approx(16.0 / 85).epsilon(0.03));
  CHECK(counts[Priority::normal] / all == Approx(4.0 / 85).epsilon(0.05));
  CHECK(counts[Priority::low] / all == Approx(1.0 / 85).epsilon(0.1));
}

TEST_CASE("fair queue: a thousand tasks of one share do not delay ten of another") {
  Simulator sim(1);
  sim.add_agent(1);
  sim.submit({1, 1, k_normal}, 1, 1000);
  SECTION("submitted together") {}
  SECTION("the ten come later") { sim.run_until(50); }
  const size_t before = sim.starts.size();
  sim.submit({1, 2, k_normal}, 1, 10);
  sim.run_until(sim.now + 100);
  const auto first = sim.starts.begin() + static_cast<long>(before);
  CHECK(std::count_if(first, first + 20, [](const SimStart& s) { return s.lane.share == 2; }) >= 8);
}

TEST_CASE("fair queue: an idle system starts the most urgent first") {
  Simulator sim(1);
  sim.add_agent(1);
  sim.add_agent(2);
  const auto set = [&](QueueNumber queue, ShareNumber share) {
    for (Priority level : {Priority::low, Priority::critical, Priority::normal})
      sim.submit({queue, share, level}, 7);
  };
  set(1, 1);
  sim.drain();
  CHECK(order(sim, 0) == "critical normal low ");
  SECTION("and again") {
    set(2, 1);
    sim.drain();
    CHECK(order(sim, 3) == "critical normal low ");
  }
  SECTION("also after it had been busy") {
    for (int i = 0; i < 40; ++i) sim.submit({1, 1, static_cast<Priority>(i % 3)}, 1 + i % 7);
    sim.submit({2, 2, Priority::critical}, 100);
    sim.drain();
    const size_t before = sim.starts.size();
    set(1, 1);
    sim.drain();
    CHECK(order(sim, before) == "critical normal low ");
  }
  SECTION("shares are even again too") {
    sim.submit({1, 1, k_normal}, 500);
    sim.drain();
    sim.submit({1, 1, k_normal}, 1, 10);
    sim.submit({2, 2, k_normal}, 1, 10);
    sim.drain();
    const auto first = sim.starts.end() - 20;
    const auto of_first =
        std::count_if(first, first + 10, [](const SimStart& s) { return s.lane.share == 1; });
    CHECK(of_first == 5);
  }
}

TEST_CASE("fair queue: time in which a share could not start gives it no credit") {
  Simulator sim(4);
  sim.add_agent(1, 4);
  sim.add_agent(2, 4);
  always_backlogged(sim, {{{1, 1, k_normal}, 1}, {{2, 2, k_normal}, 1}});
  sim.run_until(100);
  SECTION("paused") {
    sim.fair.pause_share(2, true);
    sim.run_until(3700);
    sim.fair.pause_share(2, false);
  }
  SECTION("its queue paused") {
    sim.fair.pause_queue(2, true);
    sim.run_until(3700);
    sim.fair.pause_queue(2, false);
  }
  SECTION("no agent") {
    sim.fair.withdraw(2);
    sim.run_until(3700);
    sim.add_agent(2, 4);
  }
  SECTION("one slot only, less than it is owed") {
    sim.add_agent(2, 1);
    sim.run_until(3700);
    sim.add_agent(2, 4);
  }
  const double before = sim.used[1];
  const double from = sim.now;
  sim.run_until(from + 20);
  CHECK((sim.used[1] - before) / (20 * 4) == Approx(0.5).margin(0.1));
}

TEST_CASE("fair queue: being blocked while its one agent is busy costs a share nothing") {
  // The others are more urgent, so go first as long as they are not beyond the mean: the last share
  // is behind when its turn comes, and has to keep what it is owed while its task runs.
  constexpr ShareNumber k_shares = 6;
  Simulator sim(1);
  std::mt19937 random(7);
  const auto submit = [&](ShareNumber share) {
    const bool last = share == k_shares;
    sim.submit({share, share, last ? Priority::low : Priority::critical},
               last ? 1 : 1 + static_cast<double>(random() % 20));
  };
  for (ShareNumber s = 1; s <= k_shares; ++s) {
    sim.add_agent(s, s == k_shares ? 1 : 4);
    for (int i = 0; i < 5; ++i) submit(s);
  }
  sim.on_start = [&](const SimTask& task) { submit(task.lane.share); };
  sim.run_until(20000);
  CHECK(share_of(sim, k_shares) == Approx(1.0 / k_shares).epsilon(0.05));
}

TEST_CASE("fair queue: a queue that comes anew for each task has no more than one that stays") {
  Simulator sim(1);
  sim.add_agent(1);
  sim.add_agent(2);
  double of_first = 0;
  sim.submit({2, 1, k_normal}, 1, 2000);
  sim.submit({1, 1, k_normal}, 10);
  sim.on_end = [&](const SimTask& task) {
    if (task.lane.queue != 1) return;
    of_first += task.length;
    sim.submit(task.lane, task.length);
  };
  sim.run_until(2000);
  CHECK(of_first / 2000 == Approx(0.5).margin(0.025));
}

TEST_CASE("fair queue: agents that come for one task do not starve one that stays") {
  Simulator sim(1);
  sim.add_agent(1, 1);
  sim.submit({1, 1, k_normal}, 1, 1000);
  QueueNumber next = 2;
  const auto come = [&] {
    sim.add_agent(next, 1);
    sim.submit({next++, 1, k_normal}, 1);
  };
  for (int i = 0; i < 5; ++i) come();
  sim.on_end = [&](const SimTask& task) {
    if (task.lane.queue == 1) return;
    sim.fair.withdraw(task.lane.queue);
    come();
  };
  sim.run_until(600);
  const auto of_first = std::count_if(sim.starts.begin(), sim.starts.end(),
                                      [](const SimStart& s) { return s.lane.queue == 1; });
  CHECK(of_first >= 60);  // one of six waiting
  CHECK(of_first <= 140);
}

TEST_CASE("fair queue: what has nothing to do is forgotten") {
  Simulator sim(4);
  for (QueueNumber a = 1; a <= 100; ++a) sim.add_agent(a);
  const auto all_once = [&] {
    for (QueueNumber a = 1; a <= 100; ++a) sim.submit({a, 1 + a % 3, k_normal}, 1 + a % 5);
  };
  all_once();
  sim.run_until(20);
  sim.fair.pick(at_seconds(sim.now));
  CHECK(sim.fair.held_queues() <= 100);
  sim.drain();
  CHECK(sim.fair.held_queues() == 0);
  SECTION("also while a queue of the level cannot start, once their agents have gone") {
    sim.fair.pause_queue(1, true);
    all_once();
    sim.drain();
    for (QueueNumber a = 2; a <= 100; ++a) sim.fair.withdraw(a);
    sim.fair.pick(at_seconds(sim.now));
    CHECK(sim.fair.held_queues() == 1);
  }
}

TEST_CASE("fair queue: a long task is charged as it runs") {
  // The guess is 1 s. While it runs share 2 is owed more and more, so what comes of share 1 waits.
  Simulator sim(2);
  sim.add_agent(1, 4);
  sim.add_agent(2, 4);
  sim.submit({1, 1, k_normal}, 1000);
  sim.submit({2, 2, k_normal}, 1, 2000);
  sim.run_until(500);
  sim.submit({1, 1, k_normal}, 1, 100);
  const size_t before = sim.starts.size();
  sim.run_until(520);
  for (size_t i = before; i < sim.starts.size(); ++i) CHECK(sim.starts[i].lane.share == 2);
}

TEST_CASE("fair queue: a crash changes no shares") {
  const bool with_virtual_time = GENERATE(false, true);
  const auto run = [&](int crashes) {
    auto sim = std::make_unique<Simulator>(3);
    for (QueueNumber q = 1; q <= 3; ++q) sim->add_agent(q, 3);
    sim->set_weight(2, 2);
    std::vector<SimTask> tasks;
    for (ShareNumber s = 1; s <= 3; ++s)
      for (int l = 0; l < k_priority_levels; ++l)
        tasks.push_back({{s, s, static_cast<Priority>(l)}, 1.0 + s + l});
    always_backlogged(*sim, tasks);
    for (int i = 0; i < crashes; ++i) {
      sim->run_until(5000.0 * (i + 1) / (crashes + 1));
      sim->crash(with_virtual_time);
    }
    sim->run_until(10000);
    return sim;
  };
  const auto plain = run(0);
  for (int crashes : {1, 10}) {
    const auto crashed = run(crashes);
    for (ShareNumber s = 1; s <= 3; ++s) {
      CHECK(share_of(*crashed, s) == Approx(share_of(*plain, s)).epsilon(0.01));
      for (int l = 0; l < k_priority_levels; ++l) {
        const auto of_level = [&](const Simulator& sim) {
          return static_cast<double>(
              std::count_if(sim.starts.begin(), sim.starts.end(), [&](const SimStart& start) {
                return start.lane.share == s && start.lane.level == static_cast<Priority>(l);
              }));
        };
        CHECK(of_level(*crashed) == Approx(of_level(*plain)).epsilon(0.02).margin(3));
      }
    }
  }
}

TEST_CASE("fair queue: the same picks after a crash when guesses are known") {
  // All tasks take the first guess, so nothing is forgotten but who was last.
  const auto run = [](bool crash) {
    Simulator sim(2);
    sim.add_agent(1, 2);
    always_backlogged(sim,
                      {{{1, 1, k_normal}, 1}, {{1, 2, Priority::high}, 1}, {{1, 2, k_normal}, 1}});
    sim.run_until(50.5);
    if (crash) sim.crash(true);
    sim.run_until(100);
    std::vector<Lane> lanes;
    for (const SimStart& start : sim.starts) lanes.push_back(start.lane);
    return lanes;
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("fair queue: an idle share has no credit after a crash") {
  Simulator sim(1);
  sim.add_agent(1);
  sim.add_agent(2);
  sim.submit({1, 1, k_normal}, 1);
  sim.submit({2, 2, k_normal}, 1, 10000);
  sim.run_until(1000);
  sim.crash(true);
  sim.submit({1, 1, k_normal}, 1, 1000);
  const double before = sim.used[1];
  sim.run_until(1100);
  CHECK(sim.used[1] - before == Approx(50).margin(3));
}
