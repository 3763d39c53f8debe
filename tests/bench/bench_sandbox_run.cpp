// SPDX-License-Identifier: Apache-2.0
// fabric sandbox run -- /bin/true beside bubblewrap, which is told to do the same as far as it can
// (no limits, no Landlock), and beside the floor (sandbox_floor.c: the same kernel steps and
// nothing else), in turn: back to back, after a pause as a person's commands come, a hundred at
// once; and what each feature costs.
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>

#include "bench_bwrap.hpp"
#include "bench_support.hpp"

namespace fabric::bench {
namespace {

using Words = std::vector<std::string>;

struct Measured {
  std::string name;
  Words argv;
  Series series;
};

struct Runner {
  std::string filter_path;

  [[nodiscard]] pid_t start(const Words& command) const {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = 0;
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, k_filter_fd, filter_path.c_str(), O_RDONLY, 0);
    const int error = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (error != 0) throw Failure(command[0] + ": " + std::strerror(error));
    return pid;
  }
  void finish(pid_t pid, const std::string& name) const {
    if (wait_code(pid) != 0) throw Failure(name + " failed");
  }

  void interleave(std::vector<Measured>& all, int rounds, std::chrono::milliseconds pause) const {
    for (Measured& m : all) finish(start(m.argv), m.name);  // not counted: warms the caches
    for (int i = 0; i < rounds; ++i)
      for (Measured& m : all) {
        if (pause.count() != 0) std::this_thread::sleep_for(pause);
        const int64_t begin = now_ns();
        finish(start(m.argv), m.name);
        m.series.add(now_ns() - begin);
      }
  }
  // From the first start to the last end, for each of them.
  void at_once(std::vector<Measured>& all, int rounds, int count) const {
    for (int i = 0; i < rounds; ++i)
      for (Measured& m : all) {
        std::vector<pid_t> pids;
        const int64_t begin = now_ns();
        for (int n = 0; n < count; ++n) pids.push_back(start(m.argv));
        for (pid_t pid : pids) finish(pid, m.name);
        m.series.add((now_ns() - begin) / count);
      }
  }
};

Words fabric_run(const std::string& work, const Words& options) {
  Words argv{fabric_binary(), "sandbox", "run", "--work", work};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.insert(argv.end(), {"--", "/bin/true"});
  return argv;
}

void compare(Report& report, const Runner& runner, const std::string& work, const std::string& how,
             int rounds, std::chrono::milliseconds pause) {
  std::vector<Measured> all{{"/bin/true", {"/bin/true"}, {}},
                            {"floor", {FABRIC_SANDBOX_FLOOR, work, "/bin/true"}, {}},
                            {"bwrap", bwrap_alike(work, {"/bin/true"}), {}},
                            {"fabric sandbox run", fabric_run(work, {}), {}}};
  runner.interleave(all, rounds, pause);
  report.latency("/bin/true, " + how, all[0].series);
  const Row& floor = report.latency("floor, " + how, all[1].series);
  const Row& peer = report.latency("bwrap, " + how, all[2].series);
  report.latency("fabric sandbox run, " + how, all[3].series)
      .beside(peer)
      .goal_ratio_at_most(0.6)
      .goal_p99_ratio_at_most(0.6);
  report.latency("the same, to the floor, " + how, all[3].series)
      .beside(floor)
      .goal_ratio_at_most(1.3);
}

void body(const Options& options, Report& report) {
  const int rounds = options.numbers.empty() ? 200 : static_cast<int>(options.numbers[0]);
  const std::string work = options.scratch + "/work";
  ::mkdir(work.c_str(), 0755);
  const Runner runner{write_filter(options.scratch)};
  compare(report, runner, work, "back to back", rounds, std::chrono::milliseconds(0));
  compare(report, runner, work, "after 150 ms of nothing", std::max(rounds / 4, 1),
          std::chrono::milliseconds(150));

  std::vector<Measured> many{{"bwrap", bwrap_alike(work, {"/bin/true"}), {}},
                             {"fabric sandbox run", fabric_run(work, {}), {}}};
  runner.at_once(many, std::max(rounds / 40, 1), 100);
  const Row& peers = report.latency("bwrap, each of 100 at once", many[0].series);
  report.latency("fabric sandbox run, each of 100 at once", many[1].series).beside(peers);

  std::vector<Measured> features{
      {"all features", fabric_run(work, {}), {}},
      {"without a memory limit", fabric_run(work, {"--memory", "none"}), {}},
      {"without a processor limit", fabric_run(work, {"--cpu", "none"}), {}},
      {"without a process limit", fabric_run(work, {"--pids", "none"}), {}},
      {"without any limit",
       fabric_run(work, {"--memory", "none", "--cpu", "none", "--pids", "none"}),
       {}},
      {"without walls (level none)", fabric_run(work, {"--isolation", "none"}), {}},
      {"without protecting .git", fabric_run(work, {"--no-protect-git"}), {}},
      {"with a secret", fabric_run(work, {"--secret", "s=env:PATH"}), {}},
      {"with --ro of a directory", fabric_run(work, {"--ro", "/var:/work-ro"}), {}},
      {"with --hide of a file", fabric_run(work, {"--hide", "/etc/services"}), {}},
      {"with another system call policy", fabric_run(work, {"--seccomp", "strict"}), {}}};
  runner.interleave(features, std::max(rounds / 2, 1), std::chrono::milliseconds(0));
  const Row& whole = report.latency(features[0].name, features[0].series);
  for (size_t i = 1; i < features.size(); ++i)
    report.latency(features[i].name, features[i].series).beside(whole);
  report.note(
      "bwrap has no limits, no Landlock and no second pid 1 that supervises; the rest is alike");
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "sandbox_run", 600, fabric::bench::body);
}
