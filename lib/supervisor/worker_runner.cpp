// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_runner.hpp"

#include <algorithm>
#include <utility>

#include "supervisor/attempt_outcome.hpp"
#include "supervisor/task_files.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

// Below what init queues for a worker (4 MiB), so that it never has to give one up.
constexpr size_t k_max_unanswered = size_t{2} << 20;

}  // namespace

void WorkerRunner::begin(const InitState& state, std::vector<Task> running) {
  std::vector<AttemptId> stop_is_due;
  for (Task& task : running) {
    AttemptId attempt = task.attempt_id;
    if (task.reason == Reason::user || task.reason == Reason::agent_gone)
      stop_is_due.push_back(attempt);
    Running& run = running_[attempt];
    run.task = std::move(task);
    arm(run);
  }
  if (!state.running.empty()) {
    worker_ = state.running.front();
    send_waiting();  // what the predecessor had sent, init drops
  } else if (!state.ended.empty()) {
    worker_ = state.ended.back();  // its last answers and its exit follow
    for (auto& [attempt, run] : running_) run.request_bytes = 1;
  } else {
    start_worker();
  }
  for (AttemptId attempt : stop_is_due) stop(attempt);
}

void WorkerRunner::start_worker() {
  hooks_.new_attempt_id([weak = weak_from_this(), this](AttemptId attempt) {
    std::shared_ptr<TaskRunner> self = weak.lock();
    if (!self || worker_ != 0) return;
    Task log_name;
    log_name.agent = agent_.definition.id;
    log_name.id = "worker";
    Result<Fd> log = open_error_file(context_.workspace, log_name);
    if (!log) return broken(log.error().message);
    StartRequest request;
    request.attempt = attempt;
    request.argv = agent_.definition.command;
    request.env = agent_environment(agent_, context_.workspace);
    request.grace = agent_.definition.grace;
    request.output_limit = agent_.definition.max_output_bytes;
    request.worker = true;
    request.announce = false;
    Status sent = connection_->start(request, Fd(), Fd(), *log);
    if (!sent && sent.error().code == ErrorCode::usage) return broken(sent.error().message);
    worker_ = attempt;
    send_waiting();
  });
}

void WorkerRunner::start(Task task) {
  if (broken_)
    return hooks_.requeue(task, AgentScheduler::Requeue::not_started, "its worker is broken",
                          [] {});
  AttemptId attempt = task.attempt_id;
  Running& run = running_[attempt];
  run.task = std::move(task);
  arm(run);
  if (worker_ != 0) send_waiting();
}

void WorkerRunner::send_waiting() {
  size_t unanswered = 0;
  std::vector<std::pair<AttemptId, std::string>> refused;
  for (const auto& [attempt, run] : running_) unanswered += run.request_bytes;
  for (auto& [attempt, run] : running_) {
    if (run.request_bytes != 0) continue;
    std::string request = worker::run_request(run.task);
    if (unanswered != 0 && unanswered + request.size() > k_max_unanswered) break;
    Status sent = connection_->write_line(worker_, attempt, request);
    if (!sent && sent.error().code == ErrorCode::usage)
      refused.emplace_back(attempt, sent.error().message);
    run.request_bytes = request.size();
    unanswered += request.size();
  }
  for (auto& [attempt, why] : refused) end(attempt, not_started(why), [] {});
}

// Wakes at the next limit that the task may run into: of running time, or of silence.
void WorkerRunner::arm(Running& run) {
  const Duration silence = run.task.no_progress_timeout;
  const RunLimit limit = run_limit(run.task, agent_.definition, run.task.started_at);
  if (limit.duration.ns == 0 && silence.ns == 0) return;
  // After an adoption the time that has passed already counts.
  const Duration passed{std::max<int64_t>(0, (context_.clock.now() - run.task.started_at).ns)};
  if (run.last_sign.ns == 0) run.last_sign = context_.clock.monotonic();
  std::optional<Duration> wake;
  if (limit.duration.ns != 0) wake = Duration{limit.duration.ns - passed.ns};
  if (silence.ns != 0) {
    const Duration left = run.last_sign + silence - context_.clock.monotonic();
    if (!wake || left < *wake) wake = left;
  }
  run.timer =
      context_.loop.after(Duration{std::max<int64_t>(0, wake->ns)},
                          [this, attempt = run.task.attempt_id] { look_at_limits(attempt); });
}

void WorkerRunner::look_at_limits(AttemptId attempt) {
  Running* run = find(attempt);
  if (!run) return;
  run->timer = 0;
  const RunLimit limit = run_limit(run->task, agent_.definition, run->task.started_at);
  const Duration silence = run->task.no_progress_timeout;
  if (limit.duration.ns != 0 && context_.clock.now() - run->task.started_at >= limit.duration) {
    run->over = over_limit(run->task, agent_.definition);
  } else if (silence.ns != 0 && context_.clock.monotonic() - run->last_sign >= silence) {
    run->over.emplace();
    run->over->state = TaskState::timed_out;
    run->over->reason = Reason::no_progress;
    run->over->detail = "gave no sign of progress for " + to_string(silence);
  } else {
    return arm(*run);  // there was a sign since
  }
  ask_to_stop(*run);
}

// 0 stands for a sign that names no task: it counts for all.
void WorkerRunner::sign_of_progress(AttemptId attempt) {
  const MonoTime now = context_.clock.monotonic();
  for (auto& [id, run] : running_)
    if (attempt == 0 || attempt == id) run.last_sign = now;
}

// May end `run`.
void WorkerRunner::ask_to_stop(Running& run) {
  const AttemptId attempt = run.task.attempt_id;
  if (worker_ == 0 || run.request_bytes == 0) return end_unsent(attempt);
  if (run.stopping) return;  // asking again does not win it time
  run.stopping = true;
  [[maybe_unused]] Status sent =
      connection_->write_line(worker_, 0, worker::cancel_notification(run.task));
  if (run.timer != 0) context_.loop.cancel(run.timer);
  run.timer = context_.loop.after(agent_.definition.grace, [this, attempt] {
    // It did not answer in time: only the end of the worker ends the task for sure.
    Running* still = find(attempt);
    if (!still) return;
    still->timer = 0;
    killed_ = true;
    [[maybe_unused]] Status killed = connection_->kill(worker_);
  });
}

// No worker has it: it can end at once.
void WorkerRunner::end_unsent(AttemptId attempt) {
  Running run = take(attempt);
  if (run.over) return finish(run, *run.over, [] {});
  hooks_.requeue(run.task, AgentScheduler::Requeue::interrupted, "stopped before it began", [] {});
}

void WorkerRunner::stop(AttemptId attempt) {
  auto found = running_.find(attempt);
  if (found != running_.end()) ask_to_stop(found->second);
}

void WorkerRunner::stop_all() {
  std::vector<AttemptId> attempts;
  for (const auto& [attempt, run] : running_) attempts.push_back(attempt);
  for (AttemptId attempt : attempts) stop(attempt);
}

// 0 names the only task that runs, if there is just one.
WorkerRunner::Running* WorkerRunner::find(AttemptId attempt) {
  if (attempt == 0 && running_.size() == 1) return &running_.begin()->second;
  auto found = running_.find(attempt);
  return found == running_.end() ? nullptr : &found->second;
}

// `attempt` runs.
WorkerRunner::Running WorkerRunner::take(AttemptId attempt) {
  Running run = std::move(running_.at(attempt));
  running_.erase(attempt);
  if (run.timer != 0) context_.loop.cancel(std::exchange(run.timer, 0));
  return run;
}

// An answer to a task that does not run was committed by a predecessor, or is none of ours.
void WorkerRunner::end(AttemptId attempt, Outcome outcome, Committed committed) {
  if (!running_.contains(attempt)) return committed();
  Running run = take(attempt);
  if (run.over) {
    TaskResult late = std::move(outcome.result);
    outcome = *run.over;
    outcome.result_bytes = late.head.size();
    outcome.result = std::move(late);
  }
  finish(run, std::move(outcome), std::move(committed));
  if (worker_ != 0) send_waiting();
}

void WorkerRunner::finish(const Running& run, Outcome outcome, Committed committed) {
  outcome.stderr_bytes = run.logged_bytes;
  outcome.dropped_bytes = run.dropped_bytes;
  if (outcome.result.head.size() <= k_result_head)
    return hooks_.finished(run.task, std::move(outcome), std::move(committed));
  // Longer than the store keeps: the whole goes to a file, synced before the commit that names it.
  auto whole = std::make_shared<std::string>(std::move(outcome.result.head));
  outcome.result.head = whole->substr(0, k_result_head);
  outcome.result.whole = false;
  context_.launcher.post([self = shared_from_this(), this, whole, task = run.task, outcome,
                          committed](IsolationManager&) {
    Status written = write_file_atomically(output_path(context_.workspace, task), *whole, 0600);
    if (!written)
      log::error("result not kept whole", {{"task", task.id}, {"error", written.error().message}});
    return std::function<void()>(
        [self, this, task, outcome, committed] { hooks_.finished(task, outcome, committed); });
  });
}

void WorkerRunner::on_exit(const AttemptExit& exit) {
  [[maybe_unused]] Status sent = connection_->acknowledge_exit(exit.attempt);
  if (worker_ == 0 || exit.attempt != worker_) return;
  worker_ = 0;
  const bool killed_by_us = std::exchange(killed_, false);
  std::vector<AttemptId> affected;
  for (const auto& [attempt, run] : running_)
    if (run.request_bytes != 0 || going_down_) affected.push_back(attempt);
  for (AttemptId attempt : affected) {
    Running run = take(attempt);
    worker_ended(exit, killed_by_us, run);
  }
  if (!going_down_) restart(exit, killed_by_us);
}

// What the end of the worker means for a task that it had.
void WorkerRunner::worker_ended(const AttemptExit& exit, bool killed_by_us, Running& run) {
  using Requeue = AgentScheduler::Requeue;
  if (run.over) return finish(run, *run.over, [] {});
  if (going_down_)
    return hooks_.requeue(run.task, Requeue::interrupted, "interrupted when fabric went down",
                          [] {});
  if (!run.stopping && (killed_by_us || exit.reason == EndReason::stopped))
    return hooks_.requeue(run.task, Requeue::interrupted, "its worker was stopped", [] {});
  Outcome outcome = outcome_of(exit, run.task, agent_.definition);
  outcome.result_bytes = 0;
  if (outcome.state == TaskState::completed) {
    outcome.state = TaskState::failed;
    outcome.reason = Reason::exit;
    outcome.detail = "the worker ended without an answer";
  } else {
    outcome.detail = "the worker ended: " + outcome.detail;
  }
  finish(run, std::move(outcome), [] {});
}

void WorkerRunner::restart(const AttemptExit& exit, bool killed_by_us) {
  if (exit.reason == EndReason::not_started) return broken(exit.message);
  if (killed_by_us) return start_worker();
  log::warn("worker died", {{"agent", agent_.definition.id}, {"how", describe_end(exit)}});
  std::optional<Duration> delay = restarts_.died(context_.loop.now());
  if (!delay) return broken("its worker died again and again, last with " + describe_end(exit));
  restart_timer_ = context_.loop.after(*delay, [this] {
    restart_timer_ = 0;
    start_worker();
  });
}

void WorkerRunner::broken(const std::string& why) {
  broken_ = true;
  abandon(AgentScheduler::Requeue::not_started, why);
  hooks_.broken(why);
}

// The stop signal follows; a worker that ignores it can still end by itself within its grace.
void WorkerRunner::say_farewell() {
  if (worker_ == 0) return;
  [[maybe_unused]] Status sent =
      connection_->write_line(worker_, 0, worker::shutdown_notification());
}

void WorkerRunner::abandon(AgentScheduler::Requeue why, const std::string& detail) {
  cancel_timers();
  std::map<AttemptId, Running> running = std::move(running_);
  running_.clear();
  worker_ = 0;
  for (auto& [attempt, run] : running) hooks_.requeue(run.task, why, detail, [] {});
}

void WorkerRunner::cancel_timers() {
  if (restart_timer_ != 0) context_.loop.cancel(restart_timer_);
  restart_timer_ = 0;
  for (auto& [attempt, run] : running_) {
    if (run.timer != 0) context_.loop.cancel(run.timer);
    run.timer = 0;
  }
}

std::shared_ptr<TaskRunner> make_worker_runner(TaskRunner::Context context, Agent agent,
                                               std::shared_ptr<InitConnection> connection,
                                               TaskRunner::Hooks hooks) {
  return std::make_shared<WorkerRunner>(context, std::move(agent), std::move(connection),
                                        std::move(hooks));
}

}  // namespace fabric
