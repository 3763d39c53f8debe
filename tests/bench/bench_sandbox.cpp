// SPDX-License-Identifier: Apache-2.0
// What a sandbox costs here: ours, the floor (sandbox_floor.c: the same walls and nothing else) and
// bubblewrap with the same namespaces and binds. Run as root; prints medians and 99th percentiles,
// with --json one object. Usage: bench_sandbox [--json] [rounds]
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "isolation/cgroup_host.hpp"
#include "isolation/isolation_manager.hpp"

using namespace fabric;

namespace {

struct Series {
  const char* name;
  std::vector<double> us;
  [[nodiscard]] double at(double quantile) const {
    if (us.empty()) return 0;
    std::vector<double> sorted = us;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<size_t>(quantile * static_cast<double>(sorted.size() - 1))];
  }
};

double now_us() { return static_cast<double>(system_clock().monotonic().ns) / 1000; }

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "bench_sandbox: %s\n", message.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}

void await_exit(Sandbox& sandbox) {
  for (;;) {
    auto event = must(sandbox.connection.receive());
    if (!event) {
      pollfd ask{sandbox.connection.fd(), POLLIN, 0};
      ::poll(&ask, 1, -1);
    } else if (const auto* exit = std::get_if<AttemptExit>(&*event)) {
      (void)sandbox.connection.acknowledge_exit(exit->attempt);
      return;
    }
  }
}

// From the call to the first byte of output, and to the end.
void run_program(std::vector<const char*> argv, Series& first, Series& whole) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) die("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  argv.push_back(nullptr);
  const double start = now_us();
  pid_t pid = 0;
  if (::posix_spawnp(&pid, argv[0], &actions, nullptr, const_cast<char**>(argv.data()), environ) !=
      0)
    die(std::string(argv[0]) + " does not start");
  ::close(ends[1]);
  char byte = 0;
  if (::read(ends[0], &byte, 1) != 1) die(std::string(argv[0]) + " printed nothing");
  first.us.push_back(now_us() - start);
  ::waitpid(pid, nullptr, 0);
  whole.us.push_back(now_us() - start);
  ::close(ends[0]);
  posix_spawn_file_actions_destroy(&actions);
}

struct Bench {
  std::string directory;
  IsolationManager manager;
  uint32_t number = 1;
  Series create{"fabric create", {}}, first{"fabric create + first byte", {}},
      destroy{"fabric destroy", {}}, task{"fabric task in a living sandbox", {}},
      floor_first{"floor first byte", {}}, floor_whole{"floor whole", {}},
      bwrap_first{"bwrap first byte", {}}, bwrap_whole{"bwrap whole", {}},
      plain_first{"plain first byte", {}}, plain_whole{"plain whole", {}},
      whole{"fabric create + task + destroy", {}};

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

  StartRequest request() {
    StartRequest start;
    start.attempt = number++;
    start.argv = {"/work/echo"};
    start.env = {"PATH=/usr/bin:/bin"};
    return start;
  }

  void once() {
    Fd out(::memfd_create("out", MFD_CLOEXEC));
    const double start = now_us();
    Sandbox sandbox = must(manager.create_sandbox(spec()));
    create.us.push_back(now_us() - start);
    if (!sandbox.connection.start(request(), {}, out, {})) die("start");
    await_exit(sandbox);
    first.us.push_back(now_us() - start);
    const double second = now_us();
    if (!sandbox.connection.start(request(), {}, out, {})) die("start");
    await_exit(sandbox);
    task.us.push_back(now_us() - second);
    const double third = now_us();
    if (auto gone = manager.destroy_sandbox(sandbox.identity); !gone) die(gone.error().message);
    destroy.us.push_back(now_us() - third);
    whole.us.push_back(create.us.back() + task.us.back() + destroy.us.back());
  }
};

void print(const Bench& bench, bool as_json) {
  const std::vector<const Series*> all{&bench.plain_whole, &bench.create,      &bench.first,
                                       &bench.task,        &bench.destroy,     &bench.whole,
                                       &bench.floor_first, &bench.floor_whole, &bench.bwrap_first,
                                       &bench.bwrap_whole};
  const double floor_ratio = bench.first.at(0.5) / std::max(1.0, bench.floor_whole.at(0.5));
  const double bwrap_ratio = bench.whole.at(0.5) / std::max(1.0, bench.bwrap_whole.at(0.5));
  if (as_json) {
    json::Writer writer;
    writer.begin_object();
    for (const Series* series : all)
      writer.key(series->name)
          .begin_object()
          .field("p10_us", series->at(0.1))
          .field("median_us", series->at(0.5))
          .field("p99_us", series->at(0.99))
          .end_object();
    writer.field("first_byte_to_floor", floor_ratio).field("whole_to_bwrap", bwrap_ratio);
    writer.end_object();
    std::printf("%s\n", writer.text().c_str());
    return;
  }
  std::printf("%-36s %10s %10s %10s\n", "", "p10 us", "median us", "p99 us");
  for (const Series* series : all)
    std::printf("%-36s %10.0f %10.0f %10.0f\n", series->name, series->at(0.1), series->at(0.5),
                series->at(0.99));
  std::printf("\ncreate + first task, to the floor: %.2f\n", floor_ratio);
  std::printf("create + task + destroy, to bwrap: %.2f\n", bwrap_ratio);
}

}  // namespace

int main(int argc, char** argv) {
  bool as_json = false;
  int rounds = 200;
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--json") == 0)
      as_json = true;
    else
      rounds = std::atoi(argv[i]);
  char name[] = "/tmp/fabric-bench-XXXXXX";
  std::string directory = ::mkdtemp(name);
  ::mkdir((directory + "/work").c_str(), 0755);
  std::filesystem::copy_file(FABRIC_BENCH_ECHO, directory + "/work/echo");
  const std::string root = "fabric-bench-" + std::to_string(::getpid());
  Bench bench{directory, must(IsolationManager::open(FABRIC_INIT_BINARY, root))};
  const std::string work = directory + "/work";
  const std::string echo = work + "/echo";
  for (int i = 0; i < rounds; ++i) {
    bench.once();
    run_program({FABRIC_SANDBOX_FLOOR, work.c_str()}, bench.floor_first, bench.floor_whole);
    run_program({"bwrap",      "--unshare-all", "--ro-bind",
                 "/usr",       "/usr",          "--symlink",
                 "usr/bin",    "/bin",          "--symlink",
                 "usr/lib",    "/lib",          "--symlink",
                 "usr/lib64",  "/lib64",        "--bind",
                 work.c_str(), "/work",         "--tmpfs",
                 "/tmp",       "--proc",        "/proc",
                 "--dev",      "/dev",          "--chdir",
                 "/work",      "--new-session", "--die-with-parent",
                 "/work/echo"},
                bench.bwrap_first, bench.bwrap_whole);
    run_program({echo.c_str()}, bench.plain_first, bench.plain_whole);
  }
  print(bench, as_json);
  if (auto host = open_cgroup_host(root))
    for (const CgroupBase* base : host->all()) ::rmdir(base->path.c_str());
  std::filesystem::remove_all(directory);
}
