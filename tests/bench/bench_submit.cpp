// SPDX-License-Identifier: Apache-2.0
// Durable submission through a real supervisor: batches of 1, 100 and 10,000 tasks a transaction;
// 1, 8 and 64 clients at once, over a connection each and as separate processes.
#include <sys/wait.h>

#include <atomic>
#include <barrier>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "base/fd.hpp"
#include "base/id.hpp"
#include "bench_lmdb.hpp"
#include "bench_support.hpp"
#include "bench_workspace.hpp"
#include "supervisor/client.hpp"

namespace fabric::bench {
namespace {

std::vector<std::string_view> split(const std::string& lines) {
  std::vector<std::string_view> all;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = lines.find('\n', at);
    all.emplace_back(lines.data() + at, end - at);
    at = end + 1;
  }
  return all;
}

std::string with_commas(size_t n) {
  std::string text = std::to_string(n);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

void batches(const Workspace& workspace, RawTable& table, Report& report) {
  Client client = need(Client::open(workspace.paths()));
  const std::pair<size_t, int> sizes[] = {{1, 500}, {100, 100}, {10'000, 20}};
  for (const auto& [size, rounds] : sizes) {
    Submission submission;
    submission.lines = task_lines("busy", size);
    submission.user = "bench";
    const std::vector<std::string_view> values = split(submission.lines);
    Series raw, durable;
    const Budget budget(6);
    for (int round = 0; round < rounds + 1 && budget.left(); ++round) {
      submission.request_id = submission.correlation_id = make_uuid7();
      const int64_t begin = now_ns();
      table.put(values);
      const int64_t between = now_ns();
      const SubmitReply reply = need(client.schedule(submission));
      const int64_t end = now_ns();
      if (reply.items.size() != size) throw Failure("not all tasks were scheduled");
      if (round == 0) continue;
      raw.add(between - begin);
      durable.add(end - between);
    }
    const std::string what = with_commas(size) + " a transaction";
    const size_t count = size * durable.size();
    const auto tasks = static_cast<double>(count);
    const Row& floor = report.rate("raw LMDB puts, " + what, tasks / raw.total_seconds(), count);
    Row& row = report.rate("durable tasks, " + what, tasks / durable.total_seconds(), count);
    row.beside(floor);
    if (size == 10'000) row.goal_at_least(100'000);
    const Row& raw_row = report.latency("  raw LMDB transaction of " + with_commas(size), raw);
    report.latency("  transaction of " + with_commas(size), durable).beside(raw_row);
  }
}

struct Load {
  Series latency;
  double per_second = 0;
};

// `clients` threads, each with its own connection, each asking again as soon as it has its answer.
Load load(const std::string& socket, size_t clients, const std::function<std::string()>& request,
          const char* expected) {
  constexpr int64_t k_duration = 1'500'000'000;
  Load all;
  std::mutex mutex;
  std::atomic<bool> wrong = false;
  std::barrier begin(static_cast<ptrdiff_t>(clients));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < clients; ++i)
    threads.emplace_back([&] {
      Series mine;
      try {
        Connection connection(socket);
        connection.exchange(request());
        begin.arrive_and_wait();
        const int64_t end = now_ns() + k_duration;
        while (now_ns() < end) {
          const std::string line = request();
          const int64_t sent = now_ns();
          const std::string answer = connection.exchange(line);
          mine.add(now_ns() - sent);
          if (answer.find(expected) == std::string::npos) wrong = true;
        }
      } catch (const Failure&) {
        wrong = true;
        begin.arrive_and_drop();
      }
      const std::lock_guard lock(mutex);
      all.latency.add(mine);
    });
  for (std::thread& thread : threads) thread.join();
  if (wrong) throw Failure("a client did not get the answer it should");
  all.per_second = static_cast<double>(all.latency.size()) * 1e9 / k_duration;
  return all;
}

void connections(const Workspace& workspace, const Options& options, Report& report) {
  const std::string line = task_lines("busy", 1);
  const std::string floor_socket = options.scratch + "/floor.sock";
  const GroupCommitServer floor_server(floor_socket, options.scratch + "/floor");
  for (const size_t clients : {1U, 8U, 64U}) {
    const std::string who = std::to_string(clients) + (clients == 1 ? " client" : " clients");
    const Load floor = load(
        floor_socket, clients, [&] { return line; }, "ok");
    const Load real = load(
        workspace.socket(), clients, [&] { return schedule_call(line); }, "\"result\"");
    const Row& floor_row = report.latency("group-committing floor, " + who, floor.latency);
    Row& row = report.latency("schedule acknowledged, " + who, real.latency).beside(floor_row);
    if (clients == 64) row.goal_p99_at_most(10);
    const Row& floor_rate =
        report.rate("  floor, submits a second", floor.per_second, floor.latency.size());
    report.rate("  submits a second, " + who, real.per_second, real.latency.size())
        .beside(floor_rate);
  }
}

// Starts `count` processes at once; adds the time from the start to the end of each.
void together(const std::vector<std::string>& argv, size_t count, Series& each) {
  std::map<pid_t, int64_t> started;
  for (size_t i = 0; i < count; ++i) {
    const int64_t begin = now_ns();
    started[start(argv)] = begin;
  }
  while (!started.empty()) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, 0);
    const int64_t end = now_ns();
    const auto found = started.find(pid);
    if (found == started.end()) continue;
    if (status != 0) throw Failure(argv[0] + " ended with status " + std::to_string(status));
    each.add(end - found->second);
    started.erase(found);
  }
}

void processes(const Options& options, Report& report) {
  const std::vector<std::string> schedule{fabric_binary(), "schedule", "busy", "--payload",
                                          R"({"n":1})"};
  const std::string table = options.scratch + "/table";
  output_of({"mkdir", table});
  for (const size_t count : {1U, 8U, 64U}) {
    Series empty, put, scheduled;
    const size_t rounds = count == 64 ? 6 : count == 8 ? 20 : 60;
    const Budget budget(6);
    for (size_t round = 0; round < rounds && budget.left(); ++round) {
      together({program("empty")}, count, empty);
      together({program("put_one"), table}, count, put);
      together(schedule, count, scheduled);
    }
    const std::string who = std::to_string(count) + (count == 1 ? " process" : " processes");
    const Row& floor = report.latency("empty C++ program, " + who, empty);
    report.latency("one LMDB put each, " + who, put).beside(floor);
    report.latency("fabric schedule, " + who, scheduled).beside(floor);
  }
}

// The whole command, reading a file of many lines: transactions of at most 10,000.
void batch_command(const Options& options, Report& report) {
  constexpr size_t k_lines = 100'000;
  const std::string path = options.scratch + "/batch.ndjson";
  need(write_file_atomically(path, task_lines("busy", k_lines), 0600));
  const auto ns = static_cast<double>(timed({fabric_binary(), "schedule", "--batch", path}));
  report.rate("fabric schedule --batch, the whole command", k_lines * 1e9 / ns, k_lines)
      .goal_at_least(100'000);
}

void body(const Options& options, Report& report) {
  Workspace workspace(options.scratch, "submit");
  workspace.up();
  workspace.spawn_busy("busy");
  RawTable table(options.scratch + "/raw");
  connections(workspace, options, report);
  processes(options, report);
  batches(workspace, table, report);
  batch_command(options, report);
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "submit", 120, fabric::bench::body);
}
