// SPDX-License-Identifier: Apache-2.0
// Effective settings of a workspace and definitions of its agents, from TOML files layered by
// directory: managed (/etc/fabric/fabric.toml), tenant.toml, fabric.toml, agents/ID/agent.toml,
// then flags. Each later layer wins, value by value; every value remembers its file, line and
// column. Unknown keys, wrong types and bad values are errors with file:line:column and the nearest
// name.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/workspace.hpp"
#include "model/agent.hpp"

namespace fabric::config {

using NumberMap = std::vector<std::pair<std::string, uint32_t>>;

// [scheduler]
struct SchedulerSettings {
  uint32_t max_concurrent_tasks = 0;  // of the whole workspace; 0: no limit
  uint64_t max_pending_tasks = 1000000;
  std::array<uint32_t, k_priority_levels> weights{64, 16, 4, 1};  // by Priority
  NumberMap slots;                                                // label -> how many there are
  NumberMap pools;   // pool -> tasks at a time; 0: no limit
  NumberMap shares;  // share group -> weight; 1 where it is not named
  uint32_t pressure_cpu = 95, pressure_memory = 20;  // per cent of PSI `some avg10`; 0: off
  uint64_t keep_events = 1000000;
};

// [retention]: of finished tasks and their logs. 0: no limit
struct RetentionSettings {
  uint64_t tasks = 100000;
  Duration age = Duration::seconds(int64_t{30} * 86400);
  uint64_t log_bytes = uint64_t{10} << 30;
};

struct Settings {
  std::string tenant_name;  // tenant.toml `name`; "" without a tenant
  // [supervisor]
  Duration orphan_grace = Duration::seconds(600);  // agents live this long without a supervisor
  Duration stop_timeout = Duration::seconds(30);   // `down` waits this long for running tasks
  uint32_t max_lost_attempts = 3;  // a task whose sandbox died this often fails with reason `lost`
  SchedulerSettings scheduler;
  RetentionSettings retention;
  std::string egress_authorities;  // certificates that injections trust; "": the machine's
  std::string egress_hosts_file;   // [egress] names beside DNS, as in /etc/hosts; "": none
  // [agent]: defaults of every agent definition of the workspace (all keys of agent.toml but
  // command)
  AgentDefinition agent_defaults;
};

struct EffectiveValue {
  std::string key;     // "agent.isolation.memory_mb"
  std::string value;   // as TOML
  std::string origin;  // "default", "file:line:column" or "flag --memory"
};

// What `spawn` says on its command line; set members win over every file.
struct AgentFlags {
  std::optional<AgentKind> kind;
  std::optional<std::vector<std::string>> command;
  std::optional<std::string> model, user;
  std::optional<std::vector<std::string>> tools;
  std::optional<IsolationLevel> isolation;
  std::optional<uint64_t> memory_bytes;
  std::optional<uint32_t> cpu_millicores, pids, nofile, io_weight;
  std::optional<uint64_t> file_size_bytes, disk_bytes, tmp_bytes, shm_bytes, output_rate,
      egress_rate;
  std::optional<std::string> root, work, seccomp;
  std::optional<bool> protect_git, degrade, learn;
  SandboxOptions rules;  // only its lists: added to those of the files
  std::optional<uint32_t> max_concurrent_tasks, max_queue_depth;
  std::optional<std::string> pool;
  Metadata labels;  // added to the labels of the files
  Metadata env;     // added likewise
};

Result<Settings> load_settings(const Workspace& workspace);
// The definition of one agent: defaults, agent.toml when there is one, flags. usage error when
// neither flags nor agent.toml give a command (an external agent has none); id checked.
Result<AgentDefinition> load_agent(const Workspace& workspace, const std::string& id,
                                   const AgentFlags& flags);
// Of that what a running agent can be given: `isolation.egress` as the files have it now.
Result<std::vector<std::string>> load_egress(const Workspace& workspace, const std::string& id);
// What the flags alone say, on top of the defaults: for a sandbox without a workspace.
Result<AgentDefinition> sandbox_of_flags(const AgentFlags& flags);
// Every effective value in key order; with `agent`, those of its definition too.
Result<std::vector<EffectiveValue>> show(const Workspace& workspace, const std::string& agent);
// Every problem of every file of the workspace's layers, not only the first.
Result<std::vector<Error>> check(const Workspace& workspace);

}  // namespace fabric::config
