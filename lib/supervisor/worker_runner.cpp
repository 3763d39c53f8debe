// SPDX-License-Identifier: Apache-2.0
// Kind `worker`: one long-lived process that takes task after task over JSON-RPC.
//
// Exactly once into the queue, whatever dies: a request carries its attempt id as key, so init
// drops one that a successor sends again; an answer stays in init until its result is committed.
//
// A worker that does not read is held back, not drowned: at most k_max_unanswered bytes of requests
// are under way; other claimed tasks wait here, in order.
#include <map>

#include "lifecycle/restart_policy.hpp"
#include "supervisor/attempt_outcome.hpp"
#include "supervisor/task_files.hpp"
#include "supervisor/task_runner.hpp"
#include "supervisor/worker_protocol.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

// Below what init queues for a worker (4 MiB), so that it never has to give one up.
constexpr size_t k_max_unanswered = size_t{2} << 20;

class WorkerRunner final : public TaskRunner {
 public:
  WorkerRunner(Context context, Agent agent, std::shared_ptr<InitConnection> connection,
               Hooks hooks)
      : context_(context),
        agent_(std::move(agent)),
        connection_(std::move(connection)),
        hooks_(std::move(hooks)) {}
  ~WorkerRunner() override { cancel_timers(); }

  void begin(const InitState& state, std::vector<Task> running) override;
  void start(Task task) override;
  void stop(AttemptId attempt) override;
  void stop_all() override;
  void on_exit(const AttemptExit& exit) override;
  void on_line(const WorkerLine& line) override;
  void abandon(AgentScheduler::Requeue why, const std::string& detail) override;
  [[nodiscard]] size_t running() const override { return running_.size(); }

 private:
  struct Running {
    Task task;
    size_t request_bytes = 0;  // 0: not sent yet
    bool stopping = false;
    bool timed_out = false;
    EventLoop::TimerId timer = 0;
    uint64_t logged_bytes = 0, dropped_bytes = 0;
  };
  using Committed = std::function<void()>;

  void start_worker();
  void send_waiting();
  void arm(Running& run);
  void ask_to_stop(Running& run);
  void end_unsent(AttemptId attempt);
  void worker_ended(const AttemptExit& exit, bool killed_by_us, Running& run);
  void restart(const AttemptExit& exit, bool killed_by_us);
  void broken(const std::string& why);
  Committed acknowledger(const WorkerLine& line);
  void acknowledge(AttemptId worker, uint64_t sequence);
  void answer_too_long(const WorkerLine& line);
  void handle(const worker::Completed& message, const WorkerLine& line);
  void handle(const worker::Failed& message, const WorkerLine& line);
  void handle(const worker::Heartbeat& message, const WorkerLine& line);
  void handle(const worker::UsageReport& message, const WorkerLine& line);
  void handle(const worker::LogLine& message, const WorkerLine& line);
  void end(AttemptId attempt, Outcome outcome, Committed committed);
  void finish(const Running& run, Outcome outcome, Committed committed);
  [[nodiscard]] Outcome timed_out(const Running& run) const;
  Running take(AttemptId attempt);
  Running* find(AttemptId attempt);
  void append_log(Running& run, const std::string& text);
  void cancel_timers();

  Context context_;
  const Agent agent_;
  std::shared_ptr<InitConnection> connection_;
  Hooks hooks_;
  AttemptId worker_ = 0;  // attempt id of the worker process; 0: none runs
  bool killed_ = false;   // we killed it, for the sake of one task
  bool broken_ = false;   // it will not be started again
  RestartPolicy restarts_;
  EventLoop::TimerId restart_timer_ = 0;
  // In the order of their attempt ids: init drops a request whose key does not grow.
  std::map<AttemptId, Running> running_;
  // Lines of workers, by worker and sequence; true: done with.
  std::map<std::pair<AttemptId, uint64_t>, bool> lines_;
};

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

void WorkerRunner::arm(Running& run) {
  Duration timeout = run.task.timeout.ns != 0 ? run.task.timeout : agent_.definition.timeout;
  if (timeout.ns == 0) return;
  // After an adoption the time that has passed already counts.
  Duration passed = context_.clock.now() - run.task.started_at;
  Duration left{std::max<int64_t>(0, timeout.ns - std::max<int64_t>(0, passed.ns))};
  run.timer = context_.loop.after(left, [this, attempt = run.task.attempt_id] {
    Running* late = find(attempt);
    if (!late) return;
    late->timer = 0;
    late->timed_out = true;
    ask_to_stop(*late);
  });
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
  if (run.timed_out) return finish(run, timed_out(run), [] {});
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
  acknowledger(line)();
}

// Stored before it is acknowledged: what was used stays known whatever becomes of the task.
void WorkerRunner::handle(const worker::UsageReport& message, const WorkerLine& line) {
  if (Running* run = find(message.attempt_id))
    return hooks_.usage(run->task, message.usage, acknowledger(line));
  acknowledger(line)();
}

void WorkerRunner::handle(const worker::LogLine& message, const WorkerLine& line) {
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

Outcome WorkerRunner::timed_out(const Running& run) const {
  Duration limit = run.task.timeout.ns != 0 ? run.task.timeout : agent_.definition.timeout;
  Outcome outcome;
  outcome.state = TaskState::timed_out;
  outcome.reason = Reason::timeout;
  outcome.detail = "ran longer than " + to_string(limit);
  return outcome;
}

// An answer to a task that does not run was committed by a predecessor, or is none of ours.
void WorkerRunner::end(AttemptId attempt, Outcome outcome, Committed committed) {
  if (!running_.contains(attempt)) return committed();
  Running run = take(attempt);
  if (run.timed_out) {
    TaskResult late = std::move(outcome.result);
    outcome = timed_out(run);
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
  if (run.timed_out) return finish(run, timed_out(run), [] {});
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

}  // namespace

std::shared_ptr<TaskRunner> make_worker_runner(TaskRunner::Context context, Agent agent,
                                               std::shared_ptr<InitConnection> connection,
                                               TaskRunner::Hooks hooks) {
  return std::make_shared<WorkerRunner>(context, std::move(agent), std::move(connection),
                                        std::move(hooks));
}

}  // namespace fabric
