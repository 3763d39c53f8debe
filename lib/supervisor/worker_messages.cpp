// SPDX-License-Identifier: Apache-2.0
// What a worker says, line by line, and when it may forget a line.
#include <variant>

#include "supervisor/attempt_outcome.hpp"
#include "supervisor/task_files.hpp"
#include "supervisor/worker_runner.hpp"
#include "telemetry/log.hpp"

namespace fabric {

WorkerRunner::Committed WorkerRunner::acknowledger(const WorkerLine& line) {
  lines_[{line.attempt, line.sequence}] = false;
  return [self = shared_from_this(), this, worker = line.attempt, sequence = line.sequence] {
    acknowledge(worker, sequence);
  };
}

// Acknowledging a line acknowledges all before it: so only up to the first whose result is not yet
// committed.
void WorkerRunner::acknowledge(AttemptId worker, uint64_t sequence) {
  lines_[{worker, sequence}] = true;
  uint64_t last = 0;
  auto at = lines_.lower_bound({worker, 0});
  while (at != lines_.end() && at->first.first == worker && at->second) {
    last = at->first.second;
    at = lines_.erase(at);
  }
  if (last != 0) [[maybe_unused]]
    Status sent = connection_->acknowledge_line(worker, last);
}

void WorkerRunner::on_line(const WorkerLine& line) {
  hooks_.heartbeat();  // anything it says shows that it lives
  if (line.truncated) return answer_too_long(line);
  Result<worker::Message> message = worker::decode(line.text);
  if (!message) {
    log::warn("worker message refused",
              {{"agent", agent_.definition.id}, {"error", message.error().message}});
    return acknowledger(line)();
  }
  std::visit([&](const auto& m) { handle(m, line); }, *message);
}

// Which task it answers is written near its start, unless the worker puts the id last.
void WorkerRunner::answer_too_long(const WorkerLine& line) {
  Outcome outcome = not_started("the worker's answer is longer than 1 MiB");
  outcome.reason = Reason::error;
  for (const auto& [attempt, run] : running_) {
    const std::string id = "\"id\":\"" + std::to_string(attempt) + "\"";
    const std::string spaced = "\"id\": \"" + std::to_string(attempt) + "\"";
    std::string_view start = std::string_view(line.text).substr(0, 4096);
    if (running_.size() == 1 || start.find(id) != start.npos || start.find(spaced) != start.npos)
      return end(attempt, std::move(outcome), acknowledger(line));
  }
  log::warn("worker message longer than 1 MiB", {{"agent", agent_.definition.id}});
  acknowledger(line)();
}

void WorkerRunner::handle(const worker::Completed& message, const WorkerLine& line) {
  Outcome outcome;
  outcome.result_bytes = message.result.size();
  outcome.result.head = message.result;
  end(message.attempt_id, std::move(outcome), acknowledger(line));
}

void WorkerRunner::handle(const worker::Failed& message, const WorkerLine& line) {
  Outcome outcome;
  outcome.state = TaskState::failed;
  outcome.reason = Reason::error;
  outcome.detail = message.message.substr(0, 4096);
  outcome.exit_code = 1;
  end(message.attempt_id, std::move(outcome), acknowledger(line));
}

void WorkerRunner::handle(const worker::Heartbeat&, const WorkerLine& line) {
  sign_of_progress(0);
  acknowledger(line)();
}

// Stored before it is acknowledged: what was used stays known whatever becomes of the task.
void WorkerRunner::handle(const worker::UsageReport& message, const WorkerLine& line) {
  sign_of_progress(message.attempt_id);
  if (Running* run = find(message.attempt_id))
    return hooks_.usage(run->task, message.usage, acknowledger(line));
  acknowledger(line)();
}

void WorkerRunner::handle(const worker::LogLine& message, const WorkerLine& line) {
  sign_of_progress(message.attempt_id);
  if (Running* run = find(message.attempt_id))
    append_log(*run, message.text);
  else
    log::info("worker log", {{"agent", agent_.definition.id},
                             {"level", message.level.substr(0, 16)},
                             {"text", message.text.substr(0, 4096)}});
  acknowledger(line)();
}

void WorkerRunner::append_log(Running& run, const std::string& text) {
  if (run.logged_bytes + text.size() >= agent_.definition.max_output_bytes) {
    run.dropped_bytes += text.size() + 1;
    return;
  }
  Result<Fd> file = open_error_file(context_.workspace, run.task);
  if (!file) return;
  run.logged_bytes += text.size() + 1;
  [[maybe_unused]] Status written = write_all(file->get(), text + "\n");
}

}  // namespace fabric
