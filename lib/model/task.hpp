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
#include "model/lane.hpp"
#include "model/priority.hpp"
#include "model/retry.hpp"
#include "model/usage.hpp"

namespace fabric {

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
  not_before,   // pending: its time has not come (a start time, or the pause before a retry)
  exclusive,    // pending: another task with the same exclusive key comes first
  deadline,     // timed_out: did not end by its deadline
  no_progress,  // timed_out: gave no sign of progress for too long
  queue_ttl,    // timed_out: waited too long for its start
  reference,    // failed: its payload names a result that is not there
  disk,         // failed: the work directory held more than its limit
  file_size,    // failed: killed for writing a file beyond the limit
};
constexpr Reason k_last_reason = Reason::file_size;
std::string_view to_string(Reason reason);

// When a task with dependencies may start.
enum class AfterPolicy : uint8_t {
  success,  // all of them completed; else it fails (or is cancelled) with the first that did not
  finish,   // all of them ended, however
  any,      // one of them completed; it fails when all ended and none completed
};
std::string_view to_string(AfterPolicy policy);
Result<AfterPolicy> parse_after_policy(std::string_view text);

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
  AfterPolicy after = AfterPolicy::success;
  Duration timeout;              // of running time; 0: none
  Duration no_progress_timeout;  // since its last output or heartbeat; 0: none
  Duration queue_ttl;            // from created_at to its first start; 0: none
  WallTime deadline;             // must have ended by then
  WallTime start_at;             // not before
  RetryPolicy retry;
  Slots slots;            // label slots that it takes while it runs, by label
  std::string share;      // share group; "" is filled in with the user
  std::string exclusive;  // no two tasks with the same key run at a time; "": none
  std::string group;      // of an array or a DAG; "": none
  Requirements require;   // whichever agent has all of these; then `agent` is where it went
  std::string user;       // who scheduled it
  std::string correlation_id;
  std::string traceparent;  // W3C; made at schedule or taken from the caller

  TaskState state = TaskState::pending;
  Reason reason = Reason::queued;
  std::string detail;
  uint32_t waiting_on = 0;  // dependencies that have not completed yet
  uint32_t attempt = 0;     // of the run that is going on or was last; 1 is the first
  uint64_t attempt_id = 0;  // fencing token: unique in the workspace, never reused
  uint32_t lost_attempts = 0;
  uint32_t retries = 0;  // used so far
  Lane lane;            // where it queues; its level may be above its priority (see AgentScheduler)
  WallTime not_before;  // pending: when its start or its next attempt is due
  WallTime lease_until;              // running at an external agent: until then it is that agent's
  bool dead = false;                 // ended badly with no retry left: in the dead-letter list
  std::string retried_as, retry_of;  // id of the task that repeats it, that it repeats
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

// One run of a task that is over while the task went on; or, `late`, an answer that came after the
// task had ended: it changes nothing and is kept beside.
struct Attempt {
  uint32_t number = 0;
  uint64_t attempt_id = 0;
  std::string agent;
  WallTime started_at, ended_at;
  TaskState state = TaskState::failed;  // pending: it was interrupted
  Reason reason = Reason::none;
  std::string detail;
  std::optional<int> exit_code;
  std::optional<int> signal;
  Duration cpu;
  uint64_t memory_peak_bytes = 0;
  bool late = false;
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
constexpr size_t k_max_key = 128;  // of exclusive keys and share names
constexpr size_t k_max_slot_labels = 8;
constexpr size_t k_max_requirements = 8;
// Tasks of one batch transaction.
constexpr size_t k_max_batch = 100000;

// Same content as far as the submitter said it (id, agent, type, payload, priority, metadata,
// depends_on, timeouts, retries and the like): what decides between "the same task again" and
// "already exists".
bool same_submission(const Task& a, const Task& b);

}  // namespace fabric
