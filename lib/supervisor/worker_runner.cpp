// SPDX-License-Identifier: Apache-2.0
// Kind `worker`: one long-lived process that takes task after task over JSON-RPC.
//
// Exactly once into the queue, whatever dies: a request carries its attempt id as key, so init
// drops one that a successor sends again; an answer stays in init until its result is committed.
#include <unistd.h>

#include <map>
#include <unordered_map>

#include "lifecycle/restart_policy.hpp"
#include "supervisor/attempt_outcome.hpp"
#include "supervisor/task_files.hpp"
#include "supervisor/task_runner.hpp"
#include "supervisor/worker_protocol.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

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
    Usage usage;
    uint64_t logged_bytes = 0, dropped_bytes = 0;
    EventLoop::TimerId timer = 0;
    bool timed_out = false;
  };
  using Committed = std::function<void()>;

  void start_worker();
  void send_task(const Running& run);
  void arm(Running& run);
  void deadline_passed(AttemptId attempt);
  void ask_to_stop(Running& run);
  Committed acknowledger(const WorkerLine& line);
  void acknowledge(AttemptId worker, uint64_t sequence);
  void handle(const worker::Completed& message, const WorkerLine& line);
  void handle(const worker::Failed& message, const WorkerLine& line);
  void handle(const worker::Heartbeat& message, const WorkerLine& line);
  void handle(const worker::UsageReport& message, const WorkerLine& line);
  void handle(const worker::LogLine& message, const WorkerLine& line);
  void end(AttemptId attempt, Outcome outcome, const WorkerLine& line);
  void finish(const Running& run, Outcome outcome, Committed committed);
  Running* find(AttemptId attempt);
  void append_log(Running& run, const std::string& text);
  void cancel_timers();

  Context context_;
  const Agent agent_;
  std::shared_ptr<InitConnection> connection_;
  Hooks hooks_;
  AttemptId worker_ = 0;  // attempt id of the worker process; 0: none runs
  RestartPolicy restarts_;
  EventLoop::TimerId restart_timer_ = 0;
  std::unordered_map<AttemptId, Running> running_;
  // Lines of workers, by worker and sequence; true: done with.
  std::map<std::pair<AttemptId, uint64_t>, bool> lines_;
};

void WorkerRunner::begin(const InitState& state, std::vector<Task> running) {
  if (!state.running.empty()) worker_ = state.running.front();
  for (Task& task : running) {
    AttemptId attempt = task.attempt_id;
    Running& run = running_[attempt];
    run.task = std::move(task);
  }
  if (worker_ == 0) return start_worker();
  for (auto& [attempt, run] : running_) {
    send_task(run);  // dropped by init if the predecessor had sent it
    arm(run);
    if (run.task.reason == Reason::user || run.task.reason == Reason::agent_gone) stop(attempt);
  }
}

void WorkerRunner::start_worker() {
  hooks_.new_attempt_id([weak = weak_from_this(), this](AttemptId attempt) {
    if (weak.expired()) return;
    Task log_name;
    log_name.agent = agent_.definition.id;
    log_name.id = "worker";
    Result<Fd> log = open_error_file(context_.workspace, log_name);
    if (!log) return hooks_.broken(log.error().message);
    StartRequest request;
    request.attempt = attempt;
    request.argv = agent_.definition.command;
    request.env = agent_environment(agent_, context_.workspace);
    request.grace = agent_.definition.grace;
    request.output_limit = agent_.definition.max_output_bytes;
    request.worker = true;
    request.announce = false;
    Status sent = connection_->start(request, Fd(), Fd(), *log);
    if (!sent)
      log::warn("worker not started",
                {{"agent", agent_.definition.id}, {"error", sent.error().message}});
    worker_ = attempt;
    for (auto& [id, run] : running_) {
      send_task(run);
      arm(run);
    }
  });
}

void WorkerRunner::start(Task task) {
  AttemptId attempt = task.attempt_id;
  Running& run = running_[attempt];
  run.task = std::move(task);
  if (worker_ == 0) return;  // sent when the worker has started
  send_task(run);
  arm(run);
}

void WorkerRunner::send_task(const Running& run) {
  [[maybe_unused]] Status sent =
      connection_->write_line(worker_, run.task.attempt_id, worker::run_request(run.task));
}

void WorkerRunner::arm(Running& run) {
  Duration timeout = run.task.timeout.ns != 0 ? run.task.timeout : agent_.definition.timeout;
  if (timeout.ns == 0 || run.timer != 0) return;
  // After an adoption the time that has passed already counts.
  Duration passed = context_.clock.now() - run.task.started_at;
  Duration left{std::max<int64_t>(0, timeout.ns - std::max<int64_t>(0, passed.ns))};
  run.timer = context_.loop.after(
      left, [this, attempt = run.task.attempt_id] { deadline_passed(attempt); });
}

void WorkerRunner::deadline_passed(AttemptId attempt) {
  Running* run = find(attempt);
  if (!run) return;
  run->timer = 0;
  run->timed_out = true;
  ask_to_stop(*run);
}

void WorkerRunner::ask_to_stop(Running& run) {
  [[maybe_unused]] Status sent =
      connection_->write_line(worker_, 0, worker::cancel_notification(run.task));
  if (run.timer != 0) context_.loop.cancel(run.timer);
  run.timer = context_.loop.after(agent_.definition.grace, [this, attempt = run.task.attempt_id] {
    // It did not answer in time: only the end of the worker ends the task for sure.
    if (Running* still = find(attempt)) {
      still->timer = 0;
      [[maybe_unused]] Status killed = connection_->kill(worker_);
    }
  });
}

void WorkerRunner::stop(AttemptId attempt) {
  if (Running* run = find(attempt)) ask_to_stop(*run);
}

void WorkerRunner::stop_all() {
  for (auto& [attempt, run] : running_) ask_to_stop(run);
}

WorkerRunner::Running* WorkerRunner::find(AttemptId attempt) {
  if (attempt == 0 && running_.size() == 1) return &running_.begin()->second;
  auto found = running_.find(attempt);
  return found == running_.end() ? nullptr : &found->second;
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
  Result<worker::Message> message = worker::decode(line.text);
  if (!message) {
    log::warn("worker message refused",
              {{"agent", agent_.definition.id}, {"error", message.error().message}});
    acknowledger(line)();
    return;
  }
  std::visit([&](const auto& m) { handle(m, line); }, *message);
}

void WorkerRunner::handle(const worker::Completed& message, const WorkerLine& line) {
  Outcome outcome;
  outcome.result_bytes = message.result.size();
  outcome.result.head = message.result;
  end(message.attempt_id, std::move(outcome), line);
}

void WorkerRunner::handle(const worker::Failed& message, const WorkerLine& line) {
  Outcome outcome;
  outcome.state = TaskState::failed;
  outcome.reason = Reason::error;
  outcome.detail = message.message.substr(0, 4096);
  outcome.exit_code = 1;
  end(message.attempt_id, std::move(outcome), line);
}

void WorkerRunner::handle(const worker::Heartbeat&, const WorkerLine& line) {
  acknowledger(line)();
}

void WorkerRunner::handle(const worker::UsageReport& message, const WorkerLine& line) {
  if (Running* run = find(message.attempt_id)) run->usage += message.usage;
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

void WorkerRunner::end(AttemptId attempt, Outcome outcome, const WorkerLine& line) {
  auto found = running_.find(attempt);
  if (found == running_.end())
    return acknowledger(line)();  // committed by a predecessor, or unknown
  Running run = std::move(found->second);
  running_.erase(found);
  if (run.timer != 0) context_.loop.cancel(run.timer);
  if (run.timed_out) {
    Duration limit = run.task.timeout.ns != 0 ? run.task.timeout : agent_.definition.timeout;
    outcome.state = TaskState::timed_out;
    outcome.reason = Reason::timeout;
    outcome.detail = "ran longer than " + to_string(limit);
  }
  finish(run, std::move(outcome), acknowledger(line));
}

void WorkerRunner::finish(const Running& run, Outcome outcome, Committed committed) {
  outcome.usage = run.usage;
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
  if (worker_ != 0 && exit.attempt != worker_) return;
  worker_ = 0;
  std::unordered_map<AttemptId, Running> running = std::move(running_);
  running_.clear();
  for (auto& [attempt, run] : running) {
    if (run.timer != 0) context_.loop.cancel(run.timer);
    if (going_down_) {
      hooks_.requeue(run.task, AgentScheduler::Requeue::interrupted,
                     "interrupted when fabric went down", [] {});
      continue;
    }
    Outcome outcome = outcome_of(exit, run.task, agent_.definition);
    outcome.result_bytes = 0;
    if (run.timed_out) {
      Duration limit = run.task.timeout.ns != 0 ? run.task.timeout : agent_.definition.timeout;
      outcome.state = TaskState::timed_out;
      outcome.reason = Reason::timeout;
      outcome.detail = "ran longer than " + to_string(limit);
    } else if (outcome.state == TaskState::completed) {
      outcome.state = TaskState::failed;
      outcome.reason = Reason::exit;
      outcome.detail = "the worker ended without an answer";
    } else {
      outcome.detail = "the worker ended: " + outcome.detail;
    }
    finish(run, std::move(outcome), [] {});
  }
  if (going_down_) return;
  if (exit.reason == EndReason::not_started) return hooks_.broken(exit.message);
  std::optional<Duration> delay = restarts_.died(context_.loop.now());
  if (!delay)
    return hooks_.broken("its worker died again and again, last with " + describe_end(exit));
  log::warn("worker died", {{"agent", agent_.definition.id}, {"how", describe_end(exit)}});
  restart_timer_ = context_.loop.after(*delay, [this] {
    restart_timer_ = 0;
    start_worker();
  });
}

void WorkerRunner::abandon(AgentScheduler::Requeue why, const std::string& detail) {
  cancel_timers();
  for (auto& [attempt, run] : running_) hooks_.requeue(run.task, why, detail, [] {});
  running_.clear();
  worker_ = 0;
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
