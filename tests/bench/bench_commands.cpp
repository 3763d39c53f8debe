// SPDX-License-Identifier: Apache-2.0
// Whole commands, from posix_spawn to the end of the process, each beside what it cannot be faster
// than. Runs are interleaved, so that the machine's moods hit all alike.
#include <vector>

#include "bench_support.hpp"
#include "bench_workspace.hpp"

namespace fabric::bench {
namespace {

struct Measured {
  std::vector<std::string> argv;
  Series series;
};

void interleave(std::vector<Measured*> all, int rounds) {
  for (Measured* m : all) timed(m->argv);  // not counted: warms the caches
  const Budget budget(8);
  for (int round = 0; round < rounds && budget.left(); ++round)
    for (Measured* m : all) m->series.add(timed(m->argv));
}

void body(const Options& options, Report& report) {
  const int rounds = options.numbers.empty() ? 150 : static_cast<int>(options.numbers[0]);
  const std::string fabric = fabric_binary();
  Workspace workspace(options.scratch, "commands");
  const std::vector<std::string> schedule{fabric, "schedule", "busy", "--payload", R"({"n":1})"};

  Measured empty{{program("empty")}, {}}, version{{fabric, "--version"}, {}};
  Measured status{{fabric, "status"}, {}};
  interleave({&empty, &version, &status}, rounds);
  const Row& floor = report.latency("empty C++ program", empty.series);
  report.latency("fabric --version", version.series).beside(floor).goal_ratio_at_most(1.5);
  report.latency("fabric status, empty workspace", status.series).beside(floor).goal_at_most(2.5);

  const std::string table = options.scratch + "/table";
  output_of({"mkdir", table});
  workspace.up();
  workspace.spawn_busy("busy");
  Measured put{{program("put_one"), table}, {}}, scheduled{schedule, {}}, supervised = status;
  supervised.series = {};
  interleave({&put, &scheduled, &supervised}, rounds);
  const Row& put_row = report.latency("one LMDB put: open, put, commit", put.series);
  report.latency("fabric schedule, supervisor runs", scheduled.series).beside(put_row);
  report.latency("fabric status, supervisor runs", supervised.series).beside(floor);

  Measured bubble{bwrap(options.scratch, {"/bin/true"}), {}};
  Series spawn, terminate;
  timed(bubble.argv);
  const Budget budget(12);
  for (int round = 0; round < rounds && budget.left(); ++round) {
    const std::string id = "a" + std::to_string(round);
    spawn.add(timed({fabric, "spawn", id, "--", "/bin/true"}));
    bubble.series.add(timed(bubble.argv));
    terminate.add(timed({fabric, "terminate", id}));
  }
  const Row& bubble_row = report.latency("bwrap ... /bin/true", bubble.series);
  report.latency("fabric spawn", spawn).beside(bubble_row).goal_at_most(6);
  report.latency("fabric terminate", terminate).beside(bubble_row);

  workspace.down();
  Measured direct{schedule, {}};
  put.series = {};
  interleave({&put, &direct}, rounds);
  const Row& put_again = report.latency("one LMDB put, again", put.series);
  report.latency("fabric schedule, no supervisor", direct.series).beside(put_again);
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "commands", 120, fabric::bench::body);
}
