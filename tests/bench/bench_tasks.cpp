// SPDX-License-Identifier: Apache-2.0
// Tasks from request to end: how soon an idle agent starts one, how soon a new sandbox says its
// first byte, and how many small tasks a second go through, beside programs without a sandbox.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "bench_lmdb.hpp"
#include "bench_support.hpp"
#include "bench_workspace.hpp"
#include "supervisor/control_protocol.hpp"

namespace fabric::bench {
namespace {

std::string one_task(const std::string& agent, const std::string& id) {
  return R"({"agent":")" + agent + R"(","id":")" + id + R"(","payload":{"n":1}})" + "\n";
}

// From the moment the request is sent to the moment the task's process runs.
void schedule_to_start(Workspace& workspace, Connection& connection, Report& report) {
  constexpr int k_rounds = 300;
  workspace.give("idle", "stamp");
  workspace.spawn(connection, workspace.definition("idle", {"./stamp"}));
  RawTable table("floor-table");
  const std::string record = one_task("idle", "t");
  Series floor, acknowledged, started, finished;
  const Budget budget(10);
  for (int round = 0; round < k_rounds + 5 && budget.left(); ++round) {
    const int64_t begin = now_ns();
    table.put({record});
    const int64_t floor_start = stamp_in(output_of({program("stamp")})) - begin;

    const std::string id = "s" + std::to_string(round);
    const std::string call = schedule_call(one_task("idle", id));
    const int64_t sent = now_ns();
    connection.exchange(call);
    const int64_t answered = now_ns();
    workspace.wait_for_task(id);
    const int64_t ended = now_ns();
    if (round < 5) continue;
    floor.add(floor_start);
    acknowledged.add(answered - sent);
    started.add(stamp_in(workspace.result_of(id)) - sent);
    finished.add(ended - sent);
  }
  const Row& floor_row = report.latency("one LMDB put, then posix_spawn", floor);
  report.latency("schedule to start of an idle agent", started)
      .beside(floor_row)
      .goal_at_most(3)
      .goal_p99_at_most(10);
  report.latency("  schedule to acknowledgement", acknowledged).beside(floor_row);
  report.latency("  schedule to end seen in the store", finished).beside(floor_row);
}

// A worker writes its first byte when its sandbox has been made and it runs.
std::string first_words(const Workspace& workspace, const std::string& agent) {
  const std::string path = workspace.paths().logs_dir(agent) + "/worker.0.err";
  for (int tries = 0; tries < 10'000; ++tries) {
    if (Result<std::string> text = read_file(path, 4096); text && text->ends_with('\n'))
      return *text;
    ::poll(nullptr, 0, 1);
  }
  throw Failure("the worker of " + agent + " said nothing in " + path);
}

void request_to_first_byte(Workspace& workspace, Connection& connection, Report& report) {
  constexpr int k_rounds = 150;
  Series bubble, worker, acknowledged, exec, terminated;
  const Budget budget(12);
  for (int round = 0; round < k_rounds + 3 && budget.left(); ++round) {
    const std::string id = "w" + std::to_string(round);
    const std::string exec_id = "x" + std::to_string(round);
    workspace.give(id, "echo_worker");
    workspace.give(exec_id, "stamp");
    AgentDefinition definition = workspace.definition(id, {"./echo_worker"});
    definition.kind = AgentKind::worker;

    const int64_t bubble_begin = now_ns();
    const int64_t bubble_start =
        stamp_in(output_of(bwrap(workspace.paths().work_dir(exec_id), {"/work/stamp"})));
    const int64_t worker_begin = now_ns();
    workspace.spawn(connection, definition);
    const int64_t answered = now_ns();
    const int64_t worker_start = stamp_in(first_words(workspace, id));
    connection.call("terminate", control::encode_id(id));

    const AgentDefinition exec_definition = workspace.definition(exec_id, {"./stamp"});
    const std::string call = schedule_call(one_task(exec_id, exec_id));
    const int64_t exec_begin = now_ns();
    workspace.spawn(connection, exec_definition);
    connection.exchange(call);
    workspace.wait_for_task(exec_id);
    const int64_t exec_start = stamp_in(workspace.result_of(exec_id));
    const int64_t terminate_begin = now_ns();
    connection.call("terminate", control::encode_id(exec_id));
    const int64_t terminate_end = now_ns();
    if (round < 3) continue;
    bubble.add(bubble_start - bubble_begin);
    worker.add(worker_start - worker_begin);
    acknowledged.add(answered - worker_begin);
    exec.add(exec_start - exec_begin);
    terminated.add(terminate_end - terminate_begin);
  }
  const Row& bubble_row = report.latency("bwrap, request to first byte", bubble);
  report.latency("new sandbox, request to first byte", worker)
      .beside(bubble_row)
      .goal_at_most(3)
      .goal_p99_at_most(10);
  report.latency("  spawn request to acknowledgement", acknowledged).beside(bubble_row);
  report.latency("  spawn, then schedule: first byte of a task", exec).beside(bubble_row);
  report.latency("  terminate request to nothing left", terminated).beside(bubble_row);
}

// Two at a time, without a sandbox.
double spawned_per_second(const std::string& path, int count) {
  const int64_t begin = now_ns();
  int running = 0;
  for (int started = 0; started < count || running > 0;) {
    if (started < count && running < 2) {
      start({path});
      ++started;
      ++running;
      continue;
    }
    int status = 0;
    if (::waitpid(-1, &status, 0) < 0 || status != 0) throw Failure(path + " failed");
    --running;
  }
  return count * 1e9 / static_cast<double>(now_ns() - begin);
}

struct Rate {
  double per_second = 0;
  size_t count = 0;
};

// From the sending of one batch to the end of its last task.
Rate run_batch(Workspace& workspace, Connection& connection, const std::vector<std::string>& agents,
               size_t count) {
  std::string lines;
  for (const std::string& agent : agents) lines += task_lines(agent, count / agents.size());
  const std::string call = schedule_call(lines);
  const uint64_t before = workspace.counts().completed;
  const int64_t begin = now_ns();
  const std::string answer = connection.exchange(call);
  if (answer.find("\"result\"") == std::string::npos) throw Failure("not scheduled: " + answer);
  workspace.wait_until_completed(before + count, 60);
  return {static_cast<double>(count) * 1e9 / static_cast<double>(now_ns() - begin), count};
}

// As many tasks as take about three seconds, at most `most`.
Rate tasks_per_second(Workspace& workspace, Connection& connection,
                      const std::vector<std::string>& agents, size_t most) {
  const Rate first = run_batch(workspace, connection, agents, 100);
  const auto in_time = static_cast<size_t>(first.per_second * 3) / 2 * 2;
  return run_batch(workspace, connection, agents, std::clamp<size_t>(in_time, 100, most));
}

std::vector<std::string> spawn_two(const Workspace& workspace, Connection& connection,
                                   const std::string& name, const std::string& command,
                                   const std::string& given, uint32_t slots, AgentKind kind) {
  std::vector<std::string> ids;
  for (const char* suffix : {"-a", "-b"}) {
    const std::string id = name + suffix;
    if (!given.empty()) workspace.give(id, given);
    AgentDefinition definition = workspace.definition(id, {command});
    definition.max_concurrent_tasks = slots;
    definition.kind = kind;
    workspace.spawn(connection, definition);
    ids.push_back(id);
  }
  return ids;
}

void throughput(Workspace& workspace, Connection& connection, const Options& options,
                Report& report) {
  const size_t count = options.numbers.empty() ? 2000 : static_cast<size_t>(options.numbers[0]);
  const int processes = static_cast<int>(count);
  const std::string xargs = "seq " + std::to_string(count) + " | xargs -P2 -n1 /bin/true";
  const int64_t xargs_ns = timed({"sh", "-c", xargs});
  const Row& xargs_row =
      report.rate("xargs -P2 /bin/true",
                  static_cast<double>(count) * 1e9 / static_cast<double>(xargs_ns), count);
  const Row& true_floor = report.rate("posix_spawn of /bin/true, two at a time",
                                      spawned_per_second("/bin/true", processes), count);
  const Row& stamp_floor = report.rate("posix_spawn of a static program, two at a time",
                                       spawned_per_second(program("stamp"), processes), count);
  for (const uint32_t slots : {1U, 2U}) {
    const std::string n = std::to_string(slots);
    const auto exec =
        spawn_two(workspace, connection, "true" + n, "/bin/true", "", slots, AgentKind::exec);
    const Rate rate = tasks_per_second(workspace, connection, exec, count);
    Row& row = report.rate("tasks of /bin/true, two agents, " + n + " at a time each",
                           rate.per_second, rate.count);
    row.beside(xargs_row).goal_at_least(1000);
    report.rate("  the same beside its floor", rate.per_second, rate.count).beside(true_floor);
    const auto tiny =
        spawn_two(workspace, connection, "tiny" + n, "./stamp", "stamp", slots, AgentKind::exec);
    const Rate tiny_rate = tasks_per_second(workspace, connection, tiny, count);
    report
        .rate("tasks of a static program, two agents, " + n + " at a time each",
              tiny_rate.per_second, tiny_rate.count)
        .beside(stamp_floor);
  }
  for (const uint32_t slots : {1U, 16U}) {
    const auto workers = spawn_two(workspace, connection, "worker" + std::to_string(slots),
                                   "./echo_worker", "echo_worker", slots, AgentKind::worker);
    const Rate rate = tasks_per_second(workspace, connection, workers, count * 5);
    report.rate("tasks of two workers, " + std::to_string(slots) + " at a time each",
                rate.per_second, rate.count);
  }
}

void body(const Options& options, Report& report) {
  Workspace workspace(options.scratch, "tasks");
  workspace.up();
  Connection connection(workspace.socket());
  schedule_to_start(workspace, connection, report);
  request_to_first_byte(workspace, connection, report);
  throughput(workspace, connection, options, report);
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "tasks", 120, fabric::bench::body);
}
