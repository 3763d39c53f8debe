// SPDX-License-Identifier: Apache-2.0
// A store of a million tasks beside an empty one, in turns: looking at it, scheduling into it, what
// the supervisor keeps in memory, and cancelling a hundred thousand at once.
// Usage: bench_million [--json] [TASKS]
#include <algorithm>
#include <atomic>
#include <charconv>
#include <thread>

#include "base/fd.hpp"
#include "base/id.hpp"
#include "bench_support.hpp"
#include "bench_workspace.hpp"
#include "supervisor/client.hpp"

namespace fabric::bench {
namespace {

constexpr size_t k_batch = 10'000;

// The supervisor's own memory (heap and stacks, without mapped files), in bytes.
double own_memory(Workspace& workspace) {
  const int64_t pid = need(need(workspace.store().read()).supervisor()).pid;
  const std::string status = need(read_file("/proc/" + std::to_string(pid) + "/status", 65536));
  const size_t at = status.find("\nRssAnon:");
  if (at == std::string::npos) throw Failure("no RssAnon");
  double kib = 0;
  const size_t digits = status.find_first_of("0123456789", at);
  std::from_chars(status.data() + digits, status.data() + status.size(), kib);
  return kib * 1024;
}

// Until so many tasks are stored; the time it took.
int64_t fill(Workspace& workspace, size_t until) {
  Client client = need(Client::open(workspace.paths()));
  Submission submission;
  submission.lines = task_lines("full", k_batch);
  submission.user = "bench";
  const int64_t begin = now_ns();
  while (workspace.counts().pending < until) {
    submission.request_id = submission.correlation_id = make_uuid7();
    if (need(client.schedule(submission)).items.size() != k_batch)
      throw Failure("not all tasks were scheduled");
  }
  return now_ns() - begin;
}

std::vector<std::string> command(const Workspace& workspace, std::vector<std::string> words) {
  words.insert(words.begin(), {fabric_binary(), "-C", workspace.paths().root});
  return words;
}

struct Looks {
  Series status, tasks, one, schedule;
};

// One round in each workspace, so that both see the same machine.
void look(const Workspace& workspace, Connection& connection, Looks& looks) {
  looks.status.add(timed(command(workspace, {"status"})));
  looks.tasks.add(timed(command(workspace, {"tasks", "--limit", "50"})));
  looks.one.add(timed(command(workspace, {"schedule", "probe"})));
  for (int i = 0; i < 20; ++i) {
    const std::string call = schedule_call(task_lines("probe", 1));
    const int64_t begin = now_ns();
    if (connection.exchange(call).find("\"result\"") == std::string::npos)
      throw Failure("not scheduled");
    looks.schedule.add(now_ns() - begin);
  }
}

void compare(const Looks& empty, const Looks& full, const std::string& count, Report& report) {
  const std::string with = ", " + count + " tasks";
  report.latency("fabric status" + with, full.status)
      .beside(report.latency("fabric status, empty store", empty.status))
      .goal_at_most(10);
  report.latency("fabric tasks --limit 50" + with, full.tasks)
      .beside(report.latency("fabric tasks --limit 50, empty store", empty.tasks))
      .goal_at_most(10);
  report.latency("fabric schedule" + with, full.one)
      .beside(report.latency("fabric schedule, empty store", empty.one));
  report.latency("schedule acknowledged" + with, full.schedule)
      .beside(report.latency("schedule acknowledged, empty store", empty.schedule));
  report
      .figure("  its p99 against that of the empty store", "times",
              full.schedule.quantile_ms(0.99) / empty.schedule.quantile_ms(0.99))
      .goal_at_most(1.5);
}

// One command cancels many while another client schedules on and on.
void cancel_many(const Workspace& workspace, Connection& connection, Report& report) {
  constexpr size_t k_many = 100'000;
  Client client = need(Client::open(workspace.paths()));
  Submission submission;
  submission.user = "bench";
  for (size_t at = 0; at < k_many; at += k_batch) {
    submission.lines = task_lines("gone", k_batch);
    submission.request_id = submission.correlation_id = make_uuid7();
    need(client.schedule(submission));
  }
  std::atomic<bool> over = false;
  Series meanwhile;
  std::thread other([&] {
    while (!over) {
      const int64_t begin = now_ns();
      connection.exchange(schedule_call(task_lines("probe", 1)));
      meanwhile.add(now_ns() - begin);
    }
  });
  const int64_t ns = timed(command(workspace, {"cancel", "--agent", "gone"}));
  over = true;
  other.join();
  report.rate("fabric cancel --agent, tasks", k_many * 1e9 / static_cast<double>(ns), k_many);
  report.figure("  longest wait of a client that schedules meanwhile", "ms",
                meanwhile.quantile_ms(1));
}

void body(const Options& options, Report& report) {
  const size_t count =
      options.numbers.empty() ? 1'000'000 : static_cast<size_t>(options.numbers[0]);
  if (count < 2 * k_batch) throw Failure("at least 20,000 tasks");
  Workspace small(options.scratch, "small");
  small.up();
  small.spawn_busy("probe");
  Connection to_small(small.socket());
  Workspace big(options.scratch, "big");
  big.up();
  for (const char* agent : {"full", "probe", "gone"}) big.spawn_busy(agent);
  Connection to_big(big.socket());

  fill(big, k_batch);
  const double before = own_memory(big);
  const size_t filled = big.counts().pending;
  const int64_t ns = fill(big, count);
  const auto added = static_cast<double>(big.counts().pending - filled);
  const double after = own_memory(big);

  Looks empty, full;
  const Budget budget(60);
  for (int round = 0; round < 100 && budget.left(); ++round) {
    look(small, to_small, empty);
    look(big, to_big, full);
  }
  report
      .rate("durable tasks, 10,000 a transaction", added * 1e9 / static_cast<double>(ns),
            static_cast<size_t>(added))
      .goal_at_least(100'000);
  compare(empty, full, std::to_string(count), report);
  report.figure("supervisor's own memory, 10,000 tasks", "MiB", before / 1048576);
  report.figure("supervisor's own memory, " + std::to_string(count) + " tasks", "MiB",
                after / 1048576);
  report.figure("  for each further task", "bytes", (after - before) / added);
  cancel_many(big, to_big, report);
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "million", 300, fabric::bench::body);
}
