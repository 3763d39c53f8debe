// SPDX-License-Identifier: Apache-2.0
// A hundred agents with a queue each: how many tasks that do nothing go through in a second, and
// how soon a task starts when a thousand a second arrive whatever the queue does (open loop: the
// time counts from when a task was due to be sent, so a stall is charged to all whom it delays).
// Beside it beanstalkd with a hundred consumers, which syncs too but keeps no attempts, results or
// order among queues; and commands queued one process each, beside task-spooler and nq.
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "bench_peers.hpp"
#include "bench_support.hpp"
#include "bench_workspace.hpp"

namespace fabric::bench {
namespace {

constexpr size_t k_agents = 100;
constexpr size_t k_connections = 8;
constexpr size_t k_per_second = 1000;

std::string agent_name(size_t index) { return "worker-" + std::to_string(index % k_agents); }

void spawn_fleet(Workspace& workspace, Connection& connection) {
  for (size_t i = 0; i < k_agents; ++i) {
    const std::string id = agent_name(i);
    workspace.give(id, "echo_worker");
    AgentDefinition definition = workspace.definition(id, {"./echo_worker"});
    definition.kind = AgentKind::worker;
    workspace.spawn(connection, definition);
  }
}

double fleet_rate(Workspace& workspace, Connection& connection, size_t count) {
  std::string lines;
  for (size_t i = 0; i < count; ++i)
    lines += R"({"agent":")" + agent_name(i) + R"(","payload":{"n":)" + std::to_string(i) + "}}\n";
  const std::string call = schedule_call(lines);
  const uint64_t before = workspace.counts().completed;
  const int64_t begin = now_ns();
  if (connection.exchange(call).find("\"result\"") == std::string::npos)
    throw Failure("the batch was not scheduled");
  workspace.wait_until_completed(before + count, 60);
  return static_cast<double>(count) * 1e9 / static_cast<double>(now_ns() - begin);
}

double beanstalk_rate(uint16_t port, size_t count) {
  const int64_t begin = now_ns();
  std::thread producer([&] {
    BeanstalkProducer one(port);
    for (size_t i = 0; i < count; ++i) one.put("{\"n\":" + std::to_string(i) + "}");
  });
  consume(port, k_agents, count, [](const std::string&) {});
  producer.join();
  return static_cast<double>(count) * 1e9 / static_cast<double>(now_ns() - begin);
}

void sleep_until(int64_t ns) {
  const timespec when{ns / 1'000'000'000, ns % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) != 0) {
  }
}

// `send(connection, index, due)` for every task at its time, over several threads.
using Sender = std::function<void(size_t thread, size_t index, int64_t due)>;
std::vector<int64_t> offer(size_t count, const Sender& send) {
  std::vector<int64_t> due(count);
  const int64_t begin = now_ns() + 50'000'000;
  for (size_t i = 0; i < count; ++i)
    due[i] = begin + static_cast<int64_t>(i) * 1'000'000'000 / static_cast<int64_t>(k_per_second);
  std::mutex mutex;
  std::string wrong;
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < k_connections; ++thread)
    threads.emplace_back([&, thread] {
      try {
        for (size_t i = thread; i < count; i += k_connections) {
          sleep_until(due[i]);
          send(thread, i, due[i]);
        }
      } catch (const Failure& failure) {
        const std::lock_guard lock(mutex);
        wrong = failure.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (!wrong.empty()) throw Failure(wrong);
  return due;
}

Series fabric_offered(Workspace& workspace, size_t count, const std::string& prefix) {
  std::vector<std::unique_ptr<Connection>> connections;
  for (size_t i = 0; i < k_connections; ++i)
    connections.push_back(std::make_unique<Connection>(workspace.socket()));
  const uint64_t before = workspace.counts().completed;
  const std::vector<int64_t> due = offer(count, [&](size_t thread, size_t i, int64_t) {
    const std::string line = R"({"agent":")" + agent_name(i) + R"(","id":")" + prefix +
                             std::to_string(i) + R"(","payload":null})" + "\n";
    connections[thread]->exchange(schedule_call(line));
  });
  workspace.wait_until_completed(before + count, 30);
  Series latency;
  for (size_t i = 0; i < count; ++i)
    latency.add(stamp_in(workspace.result_of(prefix + std::to_string(i))) - due[i]);
  return latency;
}

Series beanstalk_offered(uint16_t port, size_t count) {
  std::vector<std::unique_ptr<BeanstalkProducer>> producers;
  for (size_t i = 0; i < k_connections; ++i)
    producers.push_back(std::make_unique<BeanstalkProducer>(port));
  Series latency;
  std::thread consumers([&] {
    consume(port, k_agents, count,
            [&](const std::string& due) { latency.add(now_ns() - std::stoll(due)); });
  });
  offer(count,
        [&](size_t thread, size_t, int64_t due) { producers[thread]->put(std::to_string(due)); });
  consumers.join();
  return latency;
}

void workers(Workspace& workspace, const Options& options, Report& report) {
  const size_t count = options.numbers.empty() ? 20'000 : static_cast<size_t>(options.numbers[0]);
  const size_t offered = std::min<size_t>(count / 4, 5000);
  Connection connection(workspace.socket());
  spawn_fleet(workspace, connection);
  fleet_rate(workspace, connection, 1000);  // everybody has run once
  const double rate = fleet_rate(workspace, connection, count);
  const Series latency = fabric_offered(workspace, offered, "open-");

  const std::string program = peer("beanstalkd");
  Row& row = report.rate("tasks of 100 workers, one at a time each", rate, count);
  row.goal_at_least(5000);
  Row& start = report.latency("due to start, 1,000 tasks a second offered", latency);
  start.goal_p99_at_most(10);
  if (program.empty()) {
    report.note("beanstalkd was not found: ./dev bench fetches it");
    return;
  }
  const Beanstalkd daemon(program, options.scratch + "/beanstalkd");
  row.beside(report.rate("beanstalkd -f0, 100 consumers, one producer",
                         beanstalk_rate(daemon.port(), count), count));
  start.beside(report.latency("beanstalkd -f0, put to reserved, 1,000 a second offered",
                              beanstalk_offered(daemon.port(), offered)));
}

// Each command is submitted by a process of its own, one after the other, as scripts do; then
// until the last one has ended.
double commands(size_t count, const std::vector<std::string>& submit,
                const std::function<void()>& wait_for_all) {
  const int64_t begin = now_ns();
  for (size_t i = 0; i < count; ++i) timed(submit);
  wait_for_all();
  return static_cast<double>(count) * 1e9 / static_cast<double>(now_ns() - begin);
}

void command_queues(Workspace& workspace, const Options& options, Report& report) {
  constexpr size_t k_count = 500;
  {
    Connection connection(workspace.socket());
    workspace.spawn(connection, workspace.definition("true", {"/bin/true"}));
  }
  const uint64_t before = workspace.counts().completed;
  const double ours = commands(k_count, {fabric_binary(), "schedule", "true"},
                               [&] { workspace.wait_until_completed(before + k_count, 60); });
  Row& row = report.rate("fabric schedule, then /bin/true in a sandbox", ours, k_count);
  const std::string spooler = peer("tsp");
  if (spooler.empty()) {
    report.note("task-spooler was not found: ./dev bench fetches it");
  } else {
    ::setenv("TS_SOCKET", (options.scratch + "/tsp.socket").c_str(), 1);
    const double rate = commands(k_count, {spooler, "-n", "/bin/true"}, [&] {
      timed({spooler, "-w"});
    });
    output_of({spooler, "-K"});
    row.beside(report.rate("task-spooler, then /bin/true", rate, k_count));
  }
  const std::string nq = peer("nq");
  if (nq.empty()) {
    report.note("nq was not found: ./dev bench fetches it");
  } else {
    const std::string directory = options.scratch + "/nq";
    ::mkdir(directory.c_str(), 0700);
    ::setenv("NQDIR", directory.c_str(), 1);
    const double rate = commands(k_count, {nq, "-q", "/bin/true"}, [&] { timed({nq, "-w"}); });
    report.rate("  the same beside nq", ours, k_count)
        .beside(report.rate("nq, then /bin/true", rate, k_count));
  }
  report.note("of the command queues only fabric's keeps what it accepted over a power cut");
}

void body(const Options& options, Report& report) {
  Workspace workspace(options.scratch, "fleet");
  workspace.up();
  workers(workspace, options, report);
  command_queues(workspace, options, report);
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "fleet", 180, fabric::bench::body);
}
