// SPDX-License-Identifier: Apache-2.0
// Kind `exec`: a process per task. Payload on stdin, stdout is the result.
#include <unistd.h>

#include <unordered_map>

#include "model/command_template.hpp"
#include "supervisor/attempt_outcome.hpp"
#include "supervisor/task_files.hpp"
#include "supervisor/task_runner.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

class ExecRunner final : public TaskRunner {
 public:
  ExecRunner(Context context, Agent agent, std::shared_ptr<InitConnection> connection, Hooks hooks)
      : context_(context),
        agent_(std::move(agent)),
        connection_(std::move(connection)),
        hooks_(std::move(hooks)),
        environment_(agent_environment(agent_, context.workspace)),
        spares_(context.workspace),
        slot_used_(agent_.definition.max_concurrent_tasks, false) {}

  void begin(const InitState& state, std::vector<Task> running) override;
  void start(Task task) override;
  void stop(AttemptId attempt) override;
  void stop_all() override;
  void on_exit(const AttemptExit& exit) override;
  void on_line(const WorkerLine&) override {}
  void abandon(AgentScheduler::Requeue why, const std::string& detail) override;
  [[nodiscard]] size_t running() const override { return running_.size(); }
  [[nodiscard]] std::string task_of(AttemptId attempt) const override {
    const auto found = running_.find(attempt);
    return found == running_.end() ? "" : found->second.task.id;
  }
  [[nodiscard]] std::string task_at(WallTime when) const override {
    if (running_.size() != 1) return "";
    const Task& task = running_.begin()->second.task;
    return task.started_at <= when ? task.id : "";
  }
  [[nodiscard]] std::vector<std::pair<AttemptId, std::string>> running_tasks() const override {
    std::vector<std::pair<AttemptId, std::string>> tasks;
    for (const auto& [attempt, run] : running_) tasks.emplace_back(attempt, run.task.id);
    return tasks;
  }

 private:
  struct Running {
    Task task;
    uint32_t slot = 0;
    bool stop_asked = false;
    TaskFiles files;
  };

  Status try_start(Running& run);
  [[nodiscard]] StartRequest request_for(const Running& run, std::vector<std::string> argv) const;
  uint32_t take_slot();
  void finish(const Task& task, Outcome outcome);

  Context context_;
  const Agent agent_;
  std::shared_ptr<InitConnection> connection_;
  Hooks hooks_;
  std::vector<std::string> environment_;
  SpareFiles spares_;
  std::vector<bool> slot_used_;
  std::unordered_map<AttemptId, Running> running_;
};

void ExecRunner::begin(const InitState& state, std::vector<Task> running) {
  for (Task& task : running) {
    AttemptId attempt = task.attempt_id;
    bool known = false;
    uint32_t slot = 0;
    for (size_t i = 0; i < state.running.size(); ++i) {
      if (state.running[i] != attempt) continue;
      known = true;
      slot = i < state.running_slots.size() ? state.running_slots[i] : 0;
      if (slot < slot_used_.size()) slot_used_[slot] = true;
    }
    for (AttemptId ended : state.ended)
      if (ended == attempt) {
        known = true;
        slot = UINT32_MAX;  // its slot is free already
      }
    if (!known) {
      hooks_.requeue(task, AgentScheduler::Requeue::not_started,
                     "not started before the supervisor died", [] {});
      continue;
    }
    bool stop_is_due = task.reason == Reason::user || task.reason == Reason::agent_gone;
    Running& run = running_[attempt];
    run.slot = slot;
    if (Result<TaskFiles> files = open_task_files(context_.workspace, task))
      run.files = std::move(*files);
    run.task = std::move(task);
    if (stop_is_due) stop(attempt);
  }
}

uint32_t ExecRunner::take_slot() {
  for (size_t i = 0; i < slot_used_.size(); ++i)
    if (!slot_used_[i]) {
      slot_used_[i] = true;
      return static_cast<uint32_t>(i);
    }
  return UINT32_MAX;
}

void ExecRunner::start(Task task) {
  AttemptId attempt = task.attempt_id;
  Running& run = running_[attempt];
  run.task = std::move(task);
  run.slot = take_slot();
  Status started = try_start(run);
  if (started) return;
  log::warn("task not started", {{"task", run.task.id}, {"error", started.error().message}});
  spares_.keep_empty(run.task, std::move(run.files), Outcome{});
  Task failed = std::move(run.task);
  if (run.slot < slot_used_.size()) slot_used_[run.slot] = false;
  running_.erase(attempt);
  finish(failed, not_started(started.error().message));
}

Status ExecRunner::try_start(Running& run) {
  if (run.slot == UINT32_MAX) return fail(ErrorCode::failed, "no free slot");
  std::vector<std::string> argv = TRY(expand_command(agent_.definition.command, run.task.payload));
  run.files = TRY(spares_.open(run.task));
  Fd input = TRY(input_file(run.task.payload));
  Status sent = connection_->start(request_for(run, std::move(argv)), input, run.files.output,
                                   run.files.error);
  // A broken connection is no fault of the task: the sandbox's end, noticed next, requeues it.
  if (!sent && sent.error().code == ErrorCode::usage) return sent;
  return {};
}

StartRequest ExecRunner::request_for(const Running& run, std::vector<std::string> argv) const {
  const Task& task = run.task;
  StartRequest request;
  request.attempt = task.attempt_id;
  request.slot = run.slot;
  request.announce = false;
  request.argv = std::move(argv);
  request.env = environment_;
  request.env.push_back("FABRIC_TASK_ID=" + task.id);
  request.env.push_back("FABRIC_TASK_TYPE=" + task.type);
  request.env.push_back("FABRIC_CORRELATION_ID=" + task.correlation_id);
  request.env.push_back("TRACEPARENT=" + task.traceparent);
  const RunLimit limit = run_limit(task, agent_.definition, context_.clock.now());
  if (limit.duration.ns != 0) request.deadline = context_.clock.monotonic() + limit.duration;
  request.no_progress = task.no_progress_timeout;
  request.grace = agent_.definition.grace;
  request.output_limit = agent_.definition.max_output_bytes;
  return request;
}

void ExecRunner::stop(AttemptId attempt) {
  auto found = running_.find(attempt);
  if (found == running_.end()) return;
  found->second.stop_asked = true;
  [[maybe_unused]] Status sent = connection_->stop(attempt, agent_.definition.grace);
}

void ExecRunner::stop_all() {
  for (const auto& [attempt, run] : running_) stop(attempt);
}

void ExecRunner::on_exit(const AttemptExit& exit) {
  auto found = running_.find(exit.attempt);
  if (found == running_.end()) {
    // Of an attempt whose end was committed by a predecessor that died before acknowledging.
    [[maybe_unused]] Status sent = connection_->acknowledge_exit(exit.attempt);
    return;
  }
  Running run = std::move(found->second);
  running_.erase(found);
  if (run.slot < slot_used_.size()) slot_used_[run.slot] = false;
  Outcome outcome = outcome_of(exit, run.task, agent_.definition);
  // Stopped, but for no fault or wish of its own: it runs again.
  if (exit.reason == EndReason::stopped && (going_down_ || !run.stop_asked)) {
    spares_.keep_empty(run.task, std::move(run.files), outcome);
    hooks_.requeue(run.task, AgentScheduler::Requeue::interrupted,
                   going_down_ ? "interrupted when fabric went down"
                               : "its sandbox stopped without a supervisor",
                   [connection = connection_, attempt = exit.attempt] {
                     [[maybe_unused]] Status sent = connection->acknowledge_exit(attempt);
                   });
    return;
  }
  if (run.files.output) outcome.result = read_head(run.files.output, outcome.result_bytes);
  auto output = std::make_shared<Fd>();
  if (outcome.result_bytes != 0) *output = std::move(run.files.output);
  spares_.keep_empty(run.task, std::move(run.files), outcome);
  if (outcome.result.whole) return finish(run.task, std::move(outcome));
  // More than the store keeps: the file is the only copy, so it is on disk before the commit says
  // so.
  context_.launcher.post(
      [self = shared_from_this(), this, output, task = run.task, outcome](IsolationManager&) {
        ::fdatasync(output->get());
        return std::function<void()>([self, this, task, outcome] { finish(task, outcome); });
      });
}

void ExecRunner::finish(const Task& task, Outcome outcome) {
  hooks_.finished(task, std::move(outcome), [connection = connection_, attempt = task.attempt_id] {
    [[maybe_unused]] Status sent = connection->acknowledge_exit(attempt);
  });
}

void ExecRunner::abandon(AgentScheduler::Requeue why, const std::string& detail) {
  for (auto& [attempt, run] : running_) hooks_.requeue(run.task, why, detail, [] {});
  running_.clear();
  slot_used_.assign(slot_used_.size(), false);
}

}  // namespace

std::shared_ptr<TaskRunner> make_exec_runner(TaskRunner::Context context, Agent agent,
                                             std::shared_ptr<InitConnection> connection,
                                             TaskRunner::Hooks hooks) {
  return std::make_shared<ExecRunner>(context, std::move(agent), std::move(connection),
                                      std::move(hooks));
}

}  // namespace fabric
