// SPDX-License-Identifier: Apache-2.0
// An agent: a definition (what a person wrote) and a record (what fabric knows of it while it
// lives).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "model/limits.hpp"
#include "model/sandbox_options.hpp"
#include "model/task.hpp"

namespace fabric {

// exec: a process per task. worker: one process that speaks JSON-RPC and takes task after task.
// external: fabric starts nothing; a person or another program claims tasks and completes them.
enum class AgentKind : uint8_t { exec, worker, external };
std::string_view to_string(AgentKind kind);
Result<AgentKind> parse_agent_kind(std::string_view text);

struct AgentDefinition {
  std::string id;
  AgentKind kind = AgentKind::exec;
  std::vector<std::string> command;
  std::string model;
  std::vector<std::string> tools;
  IsolationLevel isolation = IsolationLevel::process;
  Limits limits;
  SandboxOptions sandbox;
  // Of sandbox.egress those that the command line said, behind those of the files.
  std::vector<std::string> egress_given;
  std::string user;  // whose agent it is; default: the caller's login name
  Metadata labels;
  Metadata env;  // values set, in addition to fabric's own
  uint32_t max_concurrent_tasks = 1;
  uint32_t max_queue_depth =
      1000;          // pending tasks, those that wait for others included; 0: no limit
  std::string pool;  // a set of agents that share a limit and can be asked for; "": none
  Duration timeout;  // default for its tasks; 0: none
  Duration grace = Duration::seconds(5);           // between stop signal and kill
  uint64_t max_output_bytes = uint64_t{64} << 20;  // kept of each stream of a task
};

enum class AgentState : uint8_t { starting, ready, busy, stopping, stopped, failed };
std::string_view to_string(AgentState state);
Result<AgentState> parse_agent_state(std::string_view text);
enum class Health : uint8_t { unknown, healthy, unhealthy };
std::string_view to_string(Health health);

struct Agent {
  AgentDefinition definition;
  uint32_t number = 0;  // assigned by the store; names files, uid and cgroup; never reused
  AgentState state = AgentState::starting;  // `busy` is derived from running tasks when shown
  Health health = Health::unknown;
  std::string detail;       // why it is failed or unhealthy
  uint64_t generation = 0;  // of its sandbox; 0: none was made yet
  // identity of the sandbox (see isolation::SandboxIdentity)
  pid_t pid = 0;
  uint64_t pid_start_time = 0;
  std::string boot_id;
  std::string cgroup;
  WallTime spawned_at, started_at, last_heartbeat_at;
  uint32_t restarts = 0;
  std::vector<std::string> degraded;  // walls that this machine could not build, with causes
  std::string disk_quota;             // how the limit of the work directory is kept; "" without one
};

// Whether the agent has all that a task asks for.
bool satisfies(const AgentDefinition& agent, const Requirements& requirements);

struct TaskCounts {
  uint64_t pending = 0, running = 0, completed = 0, failed = 0, cancelled = 0, timed_out = 0;
  [[nodiscard]] uint64_t of(TaskState state) const;
  uint64_t& of(TaskState state);
  [[nodiscard]] uint64_t total() const;
};

}  // namespace fabric
