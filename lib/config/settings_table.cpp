// SPDX-License-Identifier: Apache-2.0
#include "config/settings_table.hpp"

#include "base/size.hpp"

namespace fabric::config {
namespace {

using S = Settings;
using N = Node;
using C = Complaints;

constexpr unsigned k_settings_files = k_managed | k_tenant | k_workspace;
constexpr unsigned k_every_file = k_settings_files | k_agent;
constexpr uint32_t k_most_pids = 4194304;  // the kernel's own limit

std::string text(const std::string& value) { return quoted(value, std::string::npos); }
std::string text(std::string_view value) { return quoted(value, std::string::npos); }
std::string text(Duration value) { return quoted(to_string(value)); }

std::string text(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& element : list) out += (out.size() > 1 ? ", " : "") + text(element);
  return out + "]";
}

std::string limit(uint64_t value) { return value == 0 ? "\"none\"" : std::to_string(value); }

std::string size_limit(uint64_t value) {
  return value == 0 ? limit(0) : text(size_to_string(value));
}

std::string yes_or_no(bool value) { return value ? "true" : "false"; }

std::string cores(uint32_t millicores) {
  if (millicores == 0) return limit(0);
  std::string out = cpu_cores_to_string(millicores);
  return out.find('.') == std::string::npos ? out + ".0" : out;
}

std::string seconds(Duration value) {
  if (value.ns % 1000000000 == 0) return limit(static_cast<uint64_t>(value.ns / 1000000000));
  std::string fraction = std::to_string(1000000000 + value.ns % 1000000000).substr(1);
  while (fraction.ends_with('0')) fraction.pop_back();
  return std::to_string(value.ns / 1000000000) + "." + fraction;
}

void read_limit32(const N& n, uint32_t& out, uint32_t most, C& c) {
  uint64_t wide = out;
  read_limit(n, wide, most, c);
  out = static_cast<uint32_t>(wide);
}

void read_count64(const N& n, uint64_t& out, C& c) {
  auto narrow = static_cast<uint32_t>(out);
  read_count(n, narrow, 1, k_most_tasks, c);
  out = narrow;
}

void read_memory_mb(const N& n, uint64_t& bytes, C& c) {
  uint64_t megabytes = 0;
  const size_t before = c.size();
  read_limit(n, megabytes, k_most_memory_mb, c);
  if (c.size() == before) bytes = megabytes << 20;
}

}  // namespace

// clang-format off
const std::vector<Setting>& settings_table() {
  static const std::vector<Setting> table{
      {"name", "string", "name of the tenant", k_tenant,
       [](S& s, const N& n, C& c) { read_id(n, s.tenant_name, c); },
       [](const S& s) { return text(s.tenant_name); }},

      {"supervisor.orphan_grace", "duration",
       "how long agents live on when their supervisor has died", k_settings_files,
       [](S& s, const N& n, C& c) { read_duration(n, s.orphan_grace, c); },
       [](const S& s) { return text(s.orphan_grace); }},
      {"supervisor.stop_timeout", "duration",
       "how long `fabric down` waits for running tasks before it stops them", k_settings_files,
       [](S& s, const N& n, C& c) { read_duration(n, s.stop_timeout, c); },
       [](const S& s) { return text(s.stop_timeout); }},
      {"supervisor.max_lost_attempts", "integer",
       "a task whose sandbox or machine died this often fails with reason `lost`", k_settings_files,
       [](S& s, const N& n, C& c) { read_count(n, s.max_lost_attempts, 1, 1000, c); },
       [](const S& s) { return std::to_string(s.max_lost_attempts); }},

      {"scheduler.max_concurrent_tasks", "integer or \"none\"", "tasks that run at a time in the whole workspace", k_settings_files,
       [](S& s, const N& n, C& c) { read_limit32(n, s.scheduler.max_concurrent_tasks, k_most_tasks, c); },
       [](const S& s) { return limit(s.scheduler.max_concurrent_tasks); }},
      {"scheduler.max_pending_tasks", "integer", "tasks that wait in the whole workspace; more are refused", k_settings_files,
       [](S& s, const N& n, C& c) { read_count64(n, s.scheduler.max_pending_tasks, c); },
       [](const S& s) { return std::to_string(s.scheduler.max_pending_tasks); }},
      {"scheduler.pressure_cpu", "integer or \"none\"",
       "per cent of the last 10 s in which tasks waited for a processor (PSI), above which less urgent tasks wait", k_settings_files,
       [](S& s, const N& n, C& c) { read_limit32(n, s.scheduler.pressure_cpu, 100, c); },
       [](const S& s) { return limit(s.scheduler.pressure_cpu); }},
      {"scheduler.pressure_memory", "integer or \"none\"", "the same for memory", k_settings_files,
       [](S& s, const N& n, C& c) { read_limit32(n, s.scheduler.pressure_memory, 100, c); },
       [](const S& s) { return limit(s.scheduler.pressure_memory); }},
      {"scheduler.keep_events", "integer", "events kept in the store; the oldest go first", k_settings_files,
       [](S& s, const N& n, C& c) { read_count64(n, s.scheduler.keep_events, c); },
       [](const S& s) { return std::to_string(s.scheduler.keep_events); }},
      {"scheduler.weights.critical", "integer", "part of the turns that critical tasks get, beside the other levels", k_settings_files,
       [](S& s, const N& n, C& c) { read_count(n, s.scheduler.weights[0], 1, 1000000, c); },
       [](const S& s) { return std::to_string(s.scheduler.weights[0]); }},
      {"scheduler.weights.high", "integer", "part of the turns that high tasks get, beside the other levels", k_settings_files,
       [](S& s, const N& n, C& c) { read_count(n, s.scheduler.weights[1], 1, 1000000, c); },
       [](const S& s) { return std::to_string(s.scheduler.weights[1]); }},
      {"scheduler.weights.normal", "integer", "part of the turns that normal tasks get, beside the other levels", k_settings_files,
       [](S& s, const N& n, C& c) { read_count(n, s.scheduler.weights[2], 1, 1000000, c); },
       [](const S& s) { return std::to_string(s.scheduler.weights[2]); }},
      {"scheduler.weights.low", "integer", "part of the turns that low tasks get, beside the other levels", k_settings_files,
       [](S& s, const N& n, C& c) { read_count(n, s.scheduler.weights[3], 1, 1000000, c); },
       [](const S& s) { return std::to_string(s.scheduler.weights[3]); }},
      {"scheduler.slots", "table of integers", "how many slots there are of each label that tasks ask for; merged over the files, key by key", k_settings_files,
       [](S& s, const N& n, C& c) { read_numbers(n, s.scheduler.slots, "label", {0, 1000000}, c); }, nullptr, nullptr,
       [](const S& s) -> const NumberMap& { return s.scheduler.slots; }},
      {"scheduler.pools", "table of integers", "tasks that run at a time over all agents of a pool, 0 for no limit; merged over the files, key by key", k_settings_files,
       [](S& s, const N& n, C& c) { read_numbers(n, s.scheduler.pools, "pool", {0, k_most_tasks}, c); }, nullptr, nullptr,
       [](const S& s) -> const NumberMap& { return s.scheduler.pools; }},
      {"scheduler.shares", "table of integers", "weights of share groups, 1 for those that are not named; merged over the files, key by key", k_settings_files,
       [](S& s, const N& n, C& c) { read_numbers(n, s.scheduler.shares, "share", {1, 1000}, c); }, nullptr, nullptr,
       [](const S& s) -> const NumberMap& { return s.scheduler.shares; }},

      {"retention.tasks", "integer or \"none\"", "finished tasks kept at most; the oldest go first", k_settings_files,
       [](S& s, const N& n, C& c) { read_limit(n, s.retention.tasks, k_most_tasks, c); },
       [](const S& s) { return limit(s.retention.tasks); }},
      {"retention.age", "duration or \"none\"", "how long a finished task is kept", k_settings_files,
       [](S& s, const N& n, C& c) { read_age(n, s.retention.age, c); },
       [](const S& s) { return s.retention.age.ns == 0 ? limit(0) : text(s.retention.age); }},
      {"retention.log_bytes", "size or \"none\"", "bytes kept of the logs of all tasks together; the oldest go first", k_settings_files,
       [](S& s, const N& n, C& c) { read_size_limit(n, s.retention.log_bytes, c); },
       [](const S& s) { return s.retention.log_bytes == 0 ? limit(0) : text(size_to_string(s.retention.log_bytes)); }},

      {"egress.authorities", "string", "file of certificates of authorities that injections trust in place of the machine's; empty: the machine's", k_settings_files,
       [](S& s, const N& n, C& c) { read_absolute_path(n, s.egress_authorities, c); },
       [](const S& s) { return text(s.egress_authorities); }},
      {"egress.hosts_file", "string", "file as /etc/hosts is, with names that the egress process looks up before it asks DNS; read when it starts; empty: none", k_settings_files,
       [](S& s, const N& n, C& c) { read_absolute_path(n, s.egress_hosts_file, c); },
       [](const S& s) { return text(s.egress_hosts_file); }},

      {"agent.command", "array of strings",
       "program and arguments, run without a shell; `{payload.KEY}` in an argument is replaced", k_agent,
       [](S& s, const N& n, C& c) { read_command(n, s.agent_defaults.command, c); },
       [](const S& s) { return text(s.agent_defaults.command); }},
      {"agent.kind", "string",
       "`exec`: a process per task; `worker`: one process that takes task after task", k_every_file,
       [](S& s, const N& n, C& c) { read_kind(n, s.agent_defaults.kind, c); },
       [](const S& s) { return text(to_string(s.agent_defaults.kind)); }},
      {"agent.model", "string", "language model the agent is to use", k_every_file,
       [](S& s, const N& n, C& c) { read_text(n, s.agent_defaults.model, c); },
       [](const S& s) { return text(s.agent_defaults.model); }},
      {"agent.tools", "array of strings", "tools the agent is to use", k_every_file,
       [](S& s, const N& n, C& c) { read_list(n, s.agent_defaults.tools, c); },
       [](const S& s) { return text(s.agent_defaults.tools); }},
      {"agent.user", "string", "whose agent it is; empty: the caller's login name", k_every_file,
       [](S& s, const N& n, C& c) { read_id_or_empty(n, s.agent_defaults.user, c); },
       [](const S& s) { return text(s.agent_defaults.user); }},
      {"agent.max_concurrent_tasks", "integer", "tasks the agent runs at a time", k_every_file,
       [](S& s, const N& n, C& c) { read_count(n, s.agent_defaults.max_concurrent_tasks, 1, k_most_concurrent_tasks, c); },
       [](const S& s) { return std::to_string(s.agent_defaults.max_concurrent_tasks); }},
      {"agent.max_queue_depth", "integer",
       "tasks of the agent that may wait, those that wait for others included; more are refused", k_every_file,
       [](S& s, const N& n, C& c) { read_count(n, s.agent_defaults.max_queue_depth, 1, k_most_tasks, c); },
       [](const S& s) { return std::to_string(s.agent_defaults.max_queue_depth); }},
      {"agent.pool", "string", "agents that share a limit, see `scheduler.pools`; empty: none", k_every_file,
       [](S& s, const N& n, C& c) { read_id_or_empty(n, s.agent_defaults.pool, c); },
       [](const S& s) { return text(s.agent_defaults.pool); }},
      {"agent.timeout_seconds", "number or \"none\"",
       "running time after which a task of the agent is stopped, where the task says nothing else", k_every_file,
       [](S& s, const N& n, C& c) { read_seconds(n, s.agent_defaults.timeout, c); },
       [](const S& s) { return seconds(s.agent_defaults.timeout); }},
      {"agent.grace", "duration", "time between the signal to stop and the kill", k_every_file,
       [](S& s, const N& n, C& c) { read_duration(n, s.agent_defaults.grace, c); },
       [](const S& s) { return text(s.agent_defaults.grace); }},
      {"agent.max_output", "size", "bytes kept of each output stream of a task", k_every_file,
       [](S& s, const N& n, C& c) { read_size(n, s.agent_defaults.max_output_bytes, c); },
       [](const S& s) { return text(size_to_string(s.agent_defaults.max_output_bytes)); }},

      {"agent.isolation.level", "string",
       "how strongly the agent is walled in: `none`, `process` or `container`", k_every_file,
       [](S& s, const N& n, C& c) { read_level(n, s.agent_defaults.isolation, c); },
       [](const S& s) { return text(to_string(s.agent_defaults.isolation)); }},
      {"agent.isolation.memory_mb", "integer or \"none\"",
       "memory (with swap) the agent may use, in MiB", k_every_file,
       [](S& s, const N& n, C& c) { read_memory_mb(n, s.agent_defaults.limits.memory_bytes, c); },
       [](const S& s) { return limit(s.agent_defaults.limits.memory_bytes >> 20); }},
      {"agent.isolation.cpu_cores", "number or \"none\"", "processor cores the agent may use", k_every_file,
       [](S& s, const N& n, C& c) { read_cores(n, s.agent_defaults.limits.cpu_millicores, c); },
       [](const S& s) { return cores(s.agent_defaults.limits.cpu_millicores); }},
      {"agent.isolation.pids", "integer or \"none\"", "processes and threads the agent may have", k_every_file,
       [](S& s, const N& n, C& c) { read_limit32(n, s.agent_defaults.limits.pids, k_most_pids, c); },
       [](const S& s) { return limit(s.agent_defaults.limits.pids); }},
      {"agent.isolation.nofile", "integer", "descriptors that a process may have open", k_every_file,
       [](S& s, const N& n, C& c) { read_count(n, s.agent_defaults.limits.nofile, 16, 1048576, c); },
       [](const S& s) { return std::to_string(s.agent_defaults.limits.nofile); }},
      {"agent.isolation.file_size", "size or \"none\"", "size of one file", k_every_file,
       [](S& s, const N& n, C& c) { read_size_limit(n, s.agent_defaults.limits.file_size_bytes, c); },
       [](const S& s) { return size_limit(s.agent_defaults.limits.file_size_bytes); }},
      {"agent.isolation.disk", "size or \"none\"", "size of the work directory with all that is in it", k_every_file,
       [](S& s, const N& n, C& c) { read_size_limit(n, s.agent_defaults.limits.disk_bytes, c); },
       [](const S& s) { return size_limit(s.agent_defaults.limits.disk_bytes); }},
      {"agent.isolation.tmp", "size or \"none\"", "size of `/tmp`, which counts as memory; none: half of the memory", k_every_file,
       [](S& s, const N& n, C& c) { read_size_limit(n, s.agent_defaults.limits.tmp_bytes, c); },
       [](const S& s) { return size_limit(s.agent_defaults.limits.tmp_bytes); }},
      {"agent.isolation.shm", "size or \"none\"", "size of `/dev/shm`, which counts as memory; none: half of the memory", k_every_file,
       [](S& s, const N& n, C& c) { read_size_limit(n, s.agent_defaults.limits.shm_bytes, c); },
       [](const S& s) { return size_limit(s.agent_defaults.limits.shm_bytes); }},
      {"agent.isolation.output_rate", "size or \"none\"", "bytes that a task may print in a second on each stream; one that prints more waits", k_every_file,
       [](S& s, const N& n, C& c) { read_size_limit(n, s.agent_defaults.limits.output_rate, c); },
       [](const S& s) { return size_limit(s.agent_defaults.limits.output_rate); }},
      {"agent.isolation.egress_rate", "size or \"none\"", "bytes a second that all its tasks together exchange with listed hosts; what is more waits", k_every_file,
       [](S& s, const N& n, C& c) { read_size_limit(n, s.agent_defaults.limits.egress_rate, c); },
       [](const S& s) { return size_limit(s.agent_defaults.limits.egress_rate); }},
      {"agent.isolation.io_weight", "integer or \"none\"", "its part of a disk that others use too, from 1 to 10000; 100 is that of who has none", k_every_file,
       [](S& s, const N& n, C& c) { read_limit32(n, s.agent_defaults.limits.io_weight, 10000, c); },
       [](const S& s) { return limit(s.agent_defaults.limits.io_weight); }},
      {"agent.isolation.root", "string", "level `container`: a directory with a root file system, a directory in OCI image layout, or an archive of one", k_every_file,
       [](S& s, const N& n, C& c) { read_text(n, s.agent_defaults.sandbox.root, c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.root); }},
      {"agent.isolation.work", "string", "host directory that is `/work` inside; empty: one of the agent's own", k_every_file,
       [](S& s, const N& n, C& c) { read_text(n, s.agent_defaults.sandbox.work, c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.work); }},
      {"agent.isolation.seccomp", "string", "system call policy: `default`, `strict`, `permissive`, or the path of a file; `+GROUP` lets one group through (docs/seccomp.md)", k_every_file,
       [](S& s, const N& n, C& c) { read_text(n, s.agent_defaults.sandbox.seccomp, c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.seccomp); }},
      {"agent.isolation.protect_git", "boolean", "hooks and config of git repositories cannot be changed inside", k_every_file,
       [](S& s, const N& n, C& c) { read_bool(n, s.agent_defaults.sandbox.protect_git, c); },
       [](const S& s) { return yes_or_no(s.agent_defaults.sandbox.protect_git); }},
      {"agent.isolation.publish_allowed", "boolean", "whether `publish` may be used", k_settings_files,
       [](S& s, const N& n, C& c) { read_bool(n, s.agent_defaults.sandbox.publish_allowed, c); },
       [](const S& s) { return yes_or_no(s.agent_defaults.sandbox.publish_allowed); }},
      {"agent.isolation.degrade", "boolean", "a wall that this machine cannot build is left out, which `status` shows, instead of refusing the agent", k_every_file,
       [](S& s, const N& n, C& c) { read_bool(n, s.agent_defaults.sandbox.degrade, c); },
       [](const S& s) { return yes_or_no(s.agent_defaults.sandbox.degrade); }},
      {"agent.isolation.ro", "array of strings", "files and directories of the host that it may read, `HOST` or `HOST:INSIDE`", k_every_file,
       [](S& s, const N& n, C& c) { read_rules(n, s.agent_defaults.sandbox, "ro", c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.read_only); }},
      {"agent.isolation.rw", "array of strings", "files and directories of the host that it may change, `HOST` or `HOST:INSIDE`", k_every_file,
       [](S& s, const N& n, C& c) { read_rules(n, s.agent_defaults.sandbox, "rw", c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.read_write); }},
      {"agent.isolation.hide", "array of strings", "paths inside of which nothing is to be seen, also when they appear later; `*` and `**` match", k_every_file,
       [](S& s, const N& n, C& c) { read_rules(n, s.agent_defaults.sandbox, "hide", c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.hidden); }},
      {"agent.isolation.no_write", "array of strings", "paths inside that cannot be made, changed or removed", k_every_file,
       [](S& s, const N& n, C& c) { read_rules(n, s.agent_defaults.sandbox, "no_write", c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.no_write); }},
      {"agent.isolation.egress", "array of strings", "where it may connect to: `[!]NAME|*.NAME|ADDRESS|CIDR|*[:PORTS|:*][+private]`", k_every_file,
       [](S& s, const N& n, C& c) { read_rules(n, s.agent_defaults.sandbox, "egress", c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.egress); }},
      {"agent.isolation.publish", "array of strings", "ports on which it listens for the host, `[ADDRESS:]HOST_PORT:INSIDE_PORT`", k_every_file,
       [](S& s, const N& n, C& c) { read_rules(n, s.agent_defaults.sandbox, "publish", c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.publish); }},
      {"agent.isolation.secrets", "array of strings", "`NAME=file:PATH` or `NAME=env:VARIABLE`, then `,env=VARIABLE` or `,file=PATH` inside", k_every_file,
       [](S& s, const N& n, C& c) { read_rules(n, s.agent_defaults.sandbox, "secrets", c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.secrets); }},
      {"agent.isolation.inject", "array of strings", "hosts reached as `http://NAME.inject/` with a secret put in outside: `NAME=HOST[:PORT],secret=SECRET[,header=H][,prefix=TEXT]`", k_every_file,
       [](S& s, const N& n, C& c) { read_rules(n, s.agent_defaults.sandbox, "inject", c); },
       [](const S& s) { return text(s.agent_defaults.sandbox.inject); }},

      {"agent.labels", "table of strings", "labels to find agents by; merged over the files, key by key", k_every_file,
       [](S& s, const N& n, C& c) { read_map(n, s.agent_defaults.labels, check_label, c); }, nullptr,
       [](const S& s) -> const Metadata& { return s.agent_defaults.labels; }},
      {"agent.env", "table of strings",
       "environment variables of its tasks; merged over the files, key by key", k_every_file,
       [](S& s, const N& n, C& c) { read_map(n, s.agent_defaults.env, check_env, c); }, nullptr,
       [](const S& s) -> const Metadata& { return s.agent_defaults.env; }},
  };
  return table;
}
// clang-format on

const Setting* find_setting(std::string_view key) {
  for (const Setting& setting : settings_table())
    if (setting.key == key) return &setting;
  return nullptr;
}

std::string file_names(unsigned files) {
  std::string out;
  auto name = [&](unsigned bit, std::string_view text) {
    if (files & bit) out += (out.empty() ? "" : ", ") + std::string(text);
  };
  name(k_managed | k_workspace, "fabric.toml");
  name(k_tenant, "tenant.toml");
  name(k_agent, "agent.toml");
  return out;
}

}  // namespace fabric::config
