// SPDX-License-Identifier: Apache-2.0
// Many idle agents in one workspace: is anything slower than linear, and what does each one cost?
// Usage: bench_idle_agents [--json] [AGENTS]
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/fd.hpp"
#include "bench_support.hpp"
#include "bench_workspace.hpp"

namespace fabric::bench {
namespace {

// The number behind `key` in a file of "key: number kB" lines.
double kib_in(const std::string& path, const std::string& key) {
  const Result<std::string> text = read_file(path, size_t{1} << 20);
  size_t at = text ? ("\n" + *text).find("\n" + key + ":") : std::string::npos;
  if (at == std::string::npos) return 0;
  at = text->find_first_of("0123456789", at + key.size());
  double value = 0;
  std::from_chars(text->data() + at, text->data() + text->size(), value);
  return value;
}

struct Memory {
  double available = 0, slab = 0, percpu = 0, tables = 0, stacks = 0;
};
Memory machine_memory() {
  const std::string info = "/proc/meminfo";
  return {kib_in(info, "MemAvailable"), kib_in(info, "SUnreclaim"), kib_in(info, "Percpu"),
          kib_in(info, "PageTables"), kib_in(info, "KernelStack")};
}

// What the agent's cgroup is charged for, the groups of its tasks included, in KiB.
double cgroup_charge(const Agent& agent) {
  const Result<std::string> groups =
      read_file("/proc/" + std::to_string(agent.pid) + "/cgroup", 65536);
  if (!groups) return 0;
  for (size_t at = 0; at < groups->size();) {
    const size_t end = groups->find('\n', at);
    const std::string line = groups->substr(at, end - at);
    at = end + 1;
    std::string directory, file;
    if (const size_t v1 = line.find(":memory:"); v1 != std::string::npos) {
      directory = "/sys/fs/cgroup/memory" + line.substr(v1 + 8);
      file = "/memory.usage_in_bytes";
    } else if (line.starts_with("0::")) {
      directory = "/sys/fs/cgroup" + line.substr(3);
      file = "/memory.current";
    }
    // On v1 init itself is charged to the group above.
    if (directory.empty()) continue;
    const size_t own = directory.find("/" + agent.cgroup);
    directory = directory.substr(0, own) + "/" + agent.cgroup;
    if (const Result<std::string> bytes = read_file(directory + file, 64)) {
      double value = 0;
      std::from_chars(bytes->data(), bytes->data() + bytes->size(), value);
      return value / 1024;
    }
  }
  return 0;
}

struct PerAgent {
  double pss = 0, charge = 0;
};
PerAgent memory_of(const std::vector<Agent>& agents) {
  PerAgent sum;
  for (const Agent& agent : agents) {
    sum.pss += kib_in("/proc/" + std::to_string(agent.pid) + "/smaps_rollup", "Pss");
    sum.charge += cgroup_charge(agent);
  }
  const double n = std::max<double>(1, static_cast<double>(agents.size()));
  return {sum.pss / n, sum.charge / n};
}

class Fleet {
 public:
  Fleet(Workspace& workspace, Report& report)
      : workspace_(workspace), report_(report), connection_(workspace.socket()) {}
  void grow_to(size_t count);
  void look();
  void tell(size_t count, const Memory& before, double supervisor_before);
  [[nodiscard]] double supervisor_rss() const;

 private:
  [[nodiscard]] pid_t supervisor() const {
    return static_cast<pid_t>(need(need(workspace_.store().read()).supervisor()).pid);
  }
  Workspace& workspace_;
  Report& report_;
  Connection connection_;
  Series spawns_;
  size_t probes_ = 0;
};

void Fleet::grow_to(size_t count) {
  while (spawns_.size() < count) {
    const std::string id = "agent-" + std::to_string(spawns_.size());
    workspace_.give(id, "stamp");
    const AgentDefinition definition = workspace_.definition(id, {"./stamp"});
    const int64_t begin = now_ns();
    workspace_.spawn(connection_, definition);
    spawns_.add(now_ns() - begin);
  }
}

// Commands, and the start of a task of one of the agents, among so many.
void Fleet::look() {
  const std::string among = ", " + std::to_string(spawns_.size()) + " agents";
  Series status, agents, start;
  for (int round = 0; round < 15; ++round) {
    status.add(timed({fabric_binary(), "status"}));
    agents.add(timed({fabric_binary(), "agents"}));
  }
  for (int round = 0; round < 60; ++round) {
    const std::string id = "probe" + std::to_string(probes_++);
    const std::string agent = "agent-" + std::to_string((probes_ * 7919) % spawns_.size());
    const std::string call =
        schedule_call(R"({"agent":")" + agent + R"(","id":")" + id + R"(","payload":null})" + "\n");
    const int64_t sent = now_ns();
    connection_.exchange(call);
    workspace_.wait_for_task(id);
    start.add(stamp_in(workspace_.result_of(id)) - sent);
  }
  const size_t last = std::min<size_t>(spawns_.size(), 50);
  report_.latency("spawn, the last " + std::to_string(last) + among, spawns_.tail(last));
  report_.latency("fabric status" + among, status);
  report_.latency("fabric agents" + among, agents);
  report_.latency("schedule to start" + among, start).goal_at_most(3).goal_p99_at_most(10);
}

double Fleet::supervisor_rss() const {
  return kib_in("/proc/" + std::to_string(supervisor()) + "/status", "VmRSS");
}

void Fleet::tell(size_t count, const Memory& before, double supervisor_before) {
  const auto n = static_cast<double>(count);
  const std::vector<Agent> agents = need(need(workspace_.store().read()).list_agents());
  const PerAgent each = memory_of(agents);
  const Memory after = machine_memory();
  report_.figure("an idle agent: PSS of its init", "KiB", each.pss);
  report_.figure("an idle agent: charge of its cgroup", "KiB", each.charge);
  report_.figure("an idle agent: memory of the machine", "KiB",
                 (before.available - after.available) / n);
  report_.figure("  of it unreclaimable slab", "KiB", (after.slab - before.slab) / n);
  report_.figure("  of it per-processor memory", "KiB", (after.percpu - before.percpu) / n);
  report_.figure("  of it page tables and kernel stacks", "KiB",
                 (after.tables - before.tables + after.stacks - before.stacks) / n);
  report_.figure("  of it in the supervisor", "KiB", (supervisor_rss() - supervisor_before) / n);
  report_.figure("supervisor, resident", "KiB", supervisor_rss());
  const double first = spawns_.median_ms(0, count / 10);
  const double last = spawns_.median_ms(count - count / 10, count);
  report_.figure("spawn, last tenth against first tenth", "times", last / first).goal_at_most(1.5);
}

void body(const Options& options, Report& report) {
  const size_t count = options.numbers.empty() ? 1000 : static_cast<size_t>(options.numbers[0]);
  if (count < 10) throw Failure("at least 10 agents");
  Workspace workspace(options.scratch, "idle");
  workspace.up();
  Fleet fleet(workspace, report);
  const Memory before = machine_memory();
  const double supervisor_before = fleet.supervisor_rss();
  for (const size_t part : {size_t{10}, size_t{100}, size_t{1000}, count}) {
    if (part > count) continue;
    fleet.grow_to(part);
    fleet.look();
    if (part == count) break;
  }
  fleet.tell(count, before, supervisor_before);
  const int64_t begin = now_ns();
  workspace.down();
  const double per_agent = static_cast<double>(now_ns() - begin) / 1e6 / static_cast<double>(count);
  report.figure("fabric down, for each agent", "ms", per_agent);
  report.note("memory of the machine counts whatever else ran meanwhile");
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "idle_agents", 300, fabric::bench::body);
}
