// SPDX-License-Identifier: Apache-2.0
// A task: one unit of work for one agent, from schedule to its end. Plain data; where it is kept is
// the store's affair, what may happen to it the scheduler's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/usage.hpp"

namespace fabric {

enum class Priority : uint8_t { critical = 0, high = 1, normal = 2, low = 3 };
constexpr int k_priority_levels = 4;
std::string_view to_string(Priority priority);
Result<Priority> parse_priority(std::string_view text);

// The last four are terminal and never change.
enum class TaskState : uint8_t { pending, running, completed, failed, cancelled, timed_out };
constexpr int k_task_states = 6;
std::string_view to_string(TaskState state);
Result<TaskState> parse_task_state(std::string_view text);
constexpr bool is_terminal(TaskState state) { return state >= TaskState::completed; }

// Why a task is in its state; `detail` in Task says it in words.
enum class Reason : uint8_t {
  none,
  queued,       // pending: ready, waits for its agent
  dependency,   // pending: waits for another task; failed/cancelled: one it needed did not complete
  exit,         // failed: exit code not 0
  signal,       // failed: killed by a signal
  memory,       // failed: over the memory limit
  not_started,  // failed: the command could not be executed
  error,        // failed: a worker answered with an error
  lost,         // failed: its sandbox or machine died too often
  timeout,      // timed_out: ran longer than timeout_seconds
  user,         // cancelled: by a person or script
  agent_gone,   // cancelled: its agent was terminated
};
std::string_view to_string(Reason reason);

using Metadata =
    std::vector<std::pair<std::string, std::string>>;  // in the order given, keys unique

struct Task {
  uint64_t sequence = 0;  // assigned by the store; the order of submission
  std::string id;
  std::string agent;
  std::string type;
  std::string payload = "null";  // JSON text, verbatim
  Priority priority = Priority::normal;
  Metadata metadata;
  std::vector<std::string> depends_on;  // task ids
  Duration timeout;                     // of running time; 0: none
  Duration no_progress_timeout;         // without any output; 0: none
  std::string user;                     // who scheduled it
  std::string correlation_id;
  std::string traceparent;  // W3C; made at schedule or taken from the caller

  TaskState state = TaskState::pending;
  Reason reason = Reason::queued;
  std::string detail;
  uint32_t waiting_on = 0;  // dependencies that have not completed yet
  uint32_t attempt = 0;     // of the run that is going on or was last; 1 is the first
  uint64_t attempt_id = 0;  // fencing token: unique in the workspace, never reused
  uint32_t lost_attempts = 0;
  WallTime created_at, started_at, finished_at;
  std::optional<int> exit_code;
  std::optional<int> signal;
  uint64_t result_bytes = 0;  // whole size of stdout or of the worker's result
  uint64_t stderr_bytes = 0;
  uint64_t dropped_bytes = 0;  // output beyond the limit that was not kept
  Duration cpu;
  uint64_t memory_peak_bytes = 0;
  Usage usage;  // reported by the agent, all attempts together
};

// The head of what a task printed or answered, kept in the store; the whole is in the log file.
struct TaskResult {
  std::string head;   // at most k_result_head bytes
  bool whole = true;  // false: there is more in the log file
};
constexpr size_t k_result_head = size_t{64} << 10;

// Limits of one task, so that no request can exhaust memory. Beyond: ErrorCode::usage.
constexpr size_t k_max_payload = size_t{1} << 20;
constexpr size_t k_max_type = 128;
constexpr size_t k_max_metadata_entries = 64;
constexpr size_t k_max_metadata_bytes = 16384;
constexpr size_t k_max_dependencies = 1024;
// Tasks of one batch transaction.
constexpr size_t k_max_batch = 100000;

// Same content as far as the submitter said it (id, agent, type, payload, priority, metadata,
// depends_on, timeout): what decides between "the same task again" and "already exists".
bool same_submission(const Task& a, const Task& b);

}  // namespace fabric
