// SPDX-License-Identifier: Apache-2.0
// fabric sandbox run -- /bin/true beside bubblewrap and beside the floor (sandbox_floor.c: the same
// kernel steps and nothing else), in turn: back to back, after a pause as a person's commands come,
// a hundred at once; and what each feature costs. Run as root.
// Usage: bench_sandbox_run [--json] [rounds]
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"

using namespace fabric;

namespace {

using Words = std::vector<std::string>;

struct Series {
  std::string name;
  Words command;
  std::vector<double> us;
  [[nodiscard]] double at(double quantile) const {
    if (us.empty()) return 0;
    std::vector<double> sorted = us;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<size_t>(quantile * static_cast<double>(sorted.size() - 1))];
  }
};

struct Table {
  std::string name;
  std::vector<Series> rows;
};

double now_us() { return static_cast<double>(system_clock().monotonic().ns) / 1000; }

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "bench_sandbox_run: %s\n", message.c_str());
  std::exit(1);
}

pid_t start(const Words& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ) != 0)
    die(command[0] + " does not start");
  ::posix_spawn_file_actions_destroy(&actions);
  return pid;
}

void finish(pid_t pid, const std::string& name) {
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || status != 0) die(name + " failed");
}

void measure(Table& table, int rounds, std::chrono::milliseconds pause) {
  for (int i = 0; i < rounds; ++i)
    for (Series& row : table.rows) {
      if (pause.count() != 0) std::this_thread::sleep_for(pause);
      const double begin = now_us();
      finish(start(row.command), row.name);
      row.us.push_back(now_us() - begin);
    }
}

// From the first start to the last end, for each of them.
void measure_many(Table& table, int rounds, int at_once) {
  for (int i = 0; i < rounds; ++i)
    for (Series& row : table.rows) {
      std::vector<pid_t> pids;
      const double begin = now_us();
      for (int n = 0; n < at_once; ++n) pids.push_back(start(row.command));
      for (pid_t pid : pids) finish(pid, row.name);
      row.us.push_back((now_us() - begin) / at_once);
    }
}

struct Commands {
  Words plain{"/bin/true"};
  Words fabric, start, floor, bwrap;

  explicit Commands(const std::string& work) {
    const std::string binary = FABRIC_BENCH_BINARY;
    fabric = {binary, "sandbox", "run", "--work", work, "--", "/bin/true"};
    start = {binary, "version"};
    floor = {FABRIC_SANDBOX_FLOOR, work, "/bin/true"};
    bwrap = {"bwrap",     "--unshare-all", "--ro-bind",
             "/usr",      "/usr",          "--symlink",
             "usr/bin",   "/bin",          "--symlink",
             "usr/lib",   "/lib",          "--symlink",
             "usr/lib64", "/lib64",        "--bind",
             work,        "/work",         "--tmpfs",
             "/tmp",      "--proc",        "/proc",
             "--dev",     "/dev",          "--chdir",
             "/work",     "--new-session", "--die-with-parent",
             "/bin/true"};
  }
  [[nodiscard]] std::vector<Series> all() const {
    return {{"plain /bin/true", plain, {}},
            {"fabric version", start, {}},
            {"floor", floor, {}},
            {"fabric sandbox run", fabric, {}},
            {"bwrap", bwrap, {}}};
  }
  [[nodiscard]] Series with(const std::string& name, const Words& options) const {
    Words command = fabric;
    command.insert(command.begin() + 3, options.begin(), options.end());
    return {name, command, {}};
  }
};

const Series& row(const Table& table, const std::string& name) {
  for (const Series& series : table.rows)
    if (series.name == name) return series;
  die("no row " + name);
}

double ratio(const Table& table, const std::string& to, double quantile) {
  return row(table, "fabric sandbox run").at(quantile) / std::max(1.0, row(table, to).at(quantile));
}

void print_text(const std::vector<Table>& tables) {
  for (const Table& table : tables) {
    std::printf("%-40s %10s %10s %10s\n", table.name.c_str(), "p10 us", "median us", "p99 us");
    for (const Series& series : table.rows)
      std::printf("  %-38s %10.0f %10.0f %10.0f\n", series.name.c_str(), series.at(0.1),
                  series.at(0.5), series.at(0.99));
    if (table.rows.size() == 5)
      std::printf("  to bwrap: median %.2f, p99 %.2f; to the floor: median %.2f\n",
                  ratio(table, "bwrap", 0.5), ratio(table, "bwrap", 0.99),
                  ratio(table, "floor", 0.5));
    std::printf("\n");
  }
}

void print_json(const std::vector<Table>& tables) {
  json::Writer writer;
  writer.begin_object();
  for (const Table& table : tables) {
    writer.key(table.name).begin_object();
    for (const Series& series : table.rows)
      writer.key(series.name)
          .begin_object()
          .field("p10_us", series.at(0.1))
          .field("median_us", series.at(0.5))
          .field("p99_us", series.at(0.99))
          .end_object();
    writer.end_object();
  }
  writer.end_object();
  std::printf("%s\n", writer.text().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  bool as_json = false;
  int rounds = 200;
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--json") == 0)
      as_json = true;
    else
      rounds = std::max(1, std::atoi(argv[i]));
  char name[] = "/tmp/fabric-bench-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  const std::string work = directory + "/work";
  ::mkdir(work.c_str(), 0755);
  const Commands commands(work);
  std::vector<Table> tables{{"back to back", commands.all()},
                            {"after 150 ms of nothing", commands.all()},
                            {"100 at once, each", {}},
                            {"what each feature costs", {}}};
  measure(tables[0], rounds, std::chrono::milliseconds(0));
  measure(tables[1], std::max(rounds / 4, 1), std::chrono::milliseconds(150));
  tables[2].rows = {{"fabric sandbox run", commands.fabric, {}}, {"bwrap", commands.bwrap, {}}};
  measure_many(tables[2], std::max(rounds / 50, 1), 100);
  tables[3].rows = {
      commands.with("all", {}),
      commands.with("without a memory limit", {"--memory", "none"}),
      commands.with("without a cpu limit", {"--cpu", "none"}),
      commands.with("without a process limit", {"--pids", "none"}),
      commands.with("without any limit", {"--memory", "none", "--cpu", "none", "--pids", "none"}),
      commands.with("with a secret", {"--secret", "s=env:PATH"}),
      commands.with("without walls (level none)", {"--isolation", "none"})};
  measure(tables[3], rounds, std::chrono::milliseconds(0));
  as_json ? print_json(tables) : print_text(tables);
  std::filesystem::remove_all(directory);
}
