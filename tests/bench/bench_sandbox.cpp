// SPDX-License-Identifier: Apache-2.0
// What a sandbox costs by the library, without a supervisor: ours, the floor (sandbox_floor.c: the
// same kernel steps and nothing else) and bubblewrap told to do the same, in turn. Back to back,
// and after a pause.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "bench_bwrap.hpp"
#include "bench_support.hpp"
#include "isolation/cgroup_host.hpp"
#include "isolation/isolation_manager.hpp"

namespace fabric::bench {
namespace {

void await_exit(Sandbox& sandbox) {
  for (;;) {
    auto event = need(sandbox.connection.receive());
    if (!event) {
      pollfd ask{sandbox.connection.fd(), POLLIN, 0};
      ::poll(&ask, 1, -1);
    } else if (const auto* exit = std::get_if<AttemptExit>(&*event)) {
      (void)sandbox.connection.acknowledge_exit(exit->attempt);
      return;
    }
  }
}

// From the call to the end.
int64_t run_program(const std::vector<std::string>& words, const std::string& filter) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, k_filter_fd, filter.c_str(), O_RDONLY, 0);
  const int64_t begin = now_ns();
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0 || wait_code(pid) != 0) throw Failure(words[0] + " failed");
  return now_ns() - begin;
}

struct Bench {
  std::string directory, filter;
  IsolationManager manager;
  uint32_t number = 1;

  struct Times {
    Series create, first, task, destroy, whole, floor, bwrap, plain;
  };

  SandboxSpec spec() {
    SandboxSpec spec;
    spec.name = "bench";
    spec.number = 1;  // as an agent that is made again: its id map is known
    spec.cgroup = "bench-" + std::to_string(number++);
    spec.work_dir = directory + "/work";
    spec.control_socket = directory + "/socket";
    spec.exit_journal = directory + "/journal" + std::to_string(number);
    spec.probe_command = "/work/echo";
    return spec;
  }

  int64_t run_task(Sandbox& sandbox, const Fd& out) {
    StartRequest start;
    start.attempt = number++;
    start.argv = {"/work/echo"};
    start.env = {"PATH=/usr/bin:/bin"};
    const int64_t begin = now_ns();
    need(sandbox.connection.start(start, {}, out, {}));
    await_exit(sandbox);
    return now_ns() - begin;
  }

  void once(Times& times) {
    const Fd out(::memfd_create("out", MFD_CLOEXEC));
    const int64_t begin = now_ns();
    Sandbox sandbox = need(manager.create_sandbox(spec()));
    const int64_t made = now_ns();
    const int64_t first = run_task(sandbox, out);
    const int64_t second = run_task(sandbox, out);
    const int64_t end = now_ns();
    need(manager.destroy_sandbox(sandbox.identity));
    const int64_t gone = now_ns();
    times.create.add(made - begin);
    times.first.add(made - begin + first);
    times.task.add(second);
    times.destroy.add(gone - end);
    times.whole.add(made - begin + first + gone - end);
  }

  void measure(Report& report, const std::string& how, int rounds,
               std::chrono::milliseconds pause) {
    const std::string work = directory + "/work", echo = work + "/echo";
    Times times;
    const auto rest = [&] {
      if (pause.count() != 0) std::this_thread::sleep_for(pause);
    };
    for (int i = 0; i < rounds; ++i) {
      rest();
      once(times);
      rest();
      times.floor.add(run_program({FABRIC_SANDBOX_FLOOR, work}, filter));
      rest();
      times.bwrap.add(run_program(bwrap_alike(work, {"/work/echo"}), filter));
      times.plain.add(run_program({echo}, filter));
    }
    const Row& plain = report.latency("the task's program alone, " + how, times.plain);
    const Row& floor = report.latency("floor, " + how, times.floor);
    const Row& peer = report.latency("bwrap, " + how, times.bwrap);
    report.latency("create_sandbox, " + how, times.create);
    report.latency("create_sandbox and a task, " + how, times.first)
        .beside(floor)
        .goal_ratio_at_most(1.3);
    report.latency("a task in a living sandbox, " + how, times.task).beside(plain);
    report.latency("destroy_sandbox, " + how, times.destroy);
    report.latency("create, task, destroy, " + how, times.whole)
        .beside(peer)
        .goal_ratio_at_most(0.6);
  }
};

void body(const Options& options, Report& report) {
  const int rounds = options.numbers.empty() ? 200 : static_cast<int>(options.numbers[0]);
  std::filesystem::create_directory(options.scratch + "/work");
  std::filesystem::copy_file(FABRIC_BENCH_ECHO, options.scratch + "/work/echo");
  const std::string root = "fabric-bench-" + std::to_string(::getpid());
  Bench bench{options.scratch, write_filter(options.scratch),
              need(IsolationManager::open(FABRIC_INIT_BINARY, root))};
  bench.measure(report, "back to back", rounds, std::chrono::milliseconds(0));
  bench.measure(report, "after 150 ms", std::max(rounds / 5, 1), std::chrono::milliseconds(150));
  bench.manager.remove_empty_root();
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "sandbox", 300, fabric::bench::body);
}
