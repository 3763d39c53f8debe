// SPDX-License-Identifier: Apache-2.0
#include "supervisor/attempt_outcome.hpp"

#include <signal.h>

#include <algorithm>
#include <cstring>

#include "base/size.hpp"
#include "supervisor/limit_hints.hpp"
#include "supervisor/task_runner.hpp"

namespace fabric {

std::string describe_end(const AttemptExit& exit) {
  if (exit.signal == 0) return "exit code " + std::to_string(exit.exit_code);
  const char* name = ::sigabbrev_np(exit.signal);
  return std::string("killed by ") +
         (name ? "SIG" + std::string(name) : "signal " + std::to_string(exit.signal));
}

Outcome not_started(std::string detail) {
  Outcome outcome;
  outcome.state = TaskState::failed;
  outcome.reason = Reason::not_started;
  outcome.detail = std::move(detail);
  return outcome;
}

RunLimit run_limit(const Task& task, const AgentDefinition& definition, WallTime started_at) {
  RunLimit limit{task.timeout.ns != 0 ? task.timeout : definition.timeout, Reason::timeout};
  if (task.deadline.set()) {
    const Duration left{std::max<int64_t>(1, (task.deadline - started_at).ns)};
    if (limit.duration.ns == 0 || left < limit.duration) limit = {left, Reason::deadline};
  }
  if (limit.duration.ns == 0) limit.which = Reason::none;
  return limit;
}

Outcome over_limit(const Task& task, const AgentDefinition& definition) {
  const RunLimit limit = run_limit(task, definition, task.started_at);
  Outcome outcome;
  outcome.state = TaskState::timed_out;
  outcome.reason = limit.which == Reason::none ? Reason::timeout : limit.which;
  outcome.detail = limit.which == Reason::deadline
                       ? "did not end before its deadline, " + to_rfc3339(task.deadline)
                       : "ran longer than " + to_string(limit.duration);
  return outcome;
}

Outcome outcome_of(const AttemptExit& exit, const Task& task, const AgentDefinition& definition) {
  Outcome o;
  if (exit.signal != 0)
    o.signal = exit.signal;
  else
    o.exit_code = exit.exit_code;
  o.result_bytes = exit.stdout_bytes;
  o.stderr_bytes = exit.stderr_bytes;
  o.dropped_bytes = exit.stdout_dropped + exit.stderr_dropped;
  o.cpu = exit.cpu;
  o.memory_peak_bytes = exit.memory_peak_bytes;
  o.state = TaskState::failed;
  switch (exit.reason) {
    case EndReason::timed_out: {
      const Outcome over = over_limit(task, definition);
      o.state = over.state;
      o.reason = over.reason;
      o.detail = over.detail;
      break;
    }
    case EndReason::no_progress:
      o.state = TaskState::timed_out;
      o.reason = Reason::no_progress;
      o.detail = "made no output for " + to_string(task.no_progress_timeout);
      break;
    case EndReason::memory:
      o.reason = Reason::memory;
      o.detail = "killed by the memory limit of " + human_size(definition.limits.memory_bytes) +
                 " (peak " + human_size(exit.memory_peak_bytes) + ")";
      break;
    case EndReason::disk:
      o.reason = Reason::disk;
      o.detail = exit.message;
      break;
    case EndReason::not_started:
      o.reason = Reason::not_started;
      o.detail = exit.message.empty() ? "the command could not be executed" : exit.message;
      break;
    case EndReason::stopped:
    case EndReason::exited:
      if (exit.signal == 0 && exit.exit_code == 0) {
        o.state = TaskState::completed;
        o.reason = Reason::none;
        break;
      }
      o.reason = exit.signal != 0 ? Reason::signal : Reason::exit;
      o.detail = describe_end(exit);
      if (exit.signal == SIGXFSZ && definition.limits.file_size_bytes != 0) {
        o.reason = Reason::file_size;
        o.detail = "killed for writing a file beyond the limit of " +
                   human_size(definition.limits.file_size_bytes);
      }
      break;
  }
  o.memory_met = exit.memory_met;
  o.pids_refused = exit.pids_refused;
  for (const std::string& hint : limit_hints(exit, definition, o.reason, o.state))
    o.detail += (o.detail.empty() ? "" : "; ") + hint;
  return o;
}

}  // namespace fabric
