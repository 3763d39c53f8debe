// SPDX-License-Identifier: Apache-2.0
// Kind `worker`: one long-lived process that takes task after task over JSON-RPC.
//
// Exactly once into the queue, whatever dies: a request carries its attempt id as key, so init
// drops one that a successor sends again; an answer stays in init until its result is committed.
//
// A worker that does not read is held back, not drowned: at most k_max_unanswered bytes of requests
// are under way; other claimed tasks wait here, in order.
//
// worker_runner.cpp has the life of the process and of its tasks, worker_messages.cpp what it says.
// In the I/O thread.
#pragma once

#include <map>

#include "lifecycle/restart_policy.hpp"
#include "supervisor/task_runner.hpp"
#include "supervisor/worker_protocol.hpp"

namespace fabric {

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
  void say_farewell() override;
  void on_exit(const AttemptExit& exit) override;
  void on_line(const WorkerLine& line) override;
  void abandon(AgentScheduler::Requeue why, const std::string& detail) override;
  [[nodiscard]] size_t running() const override { return running_.size(); }
  // One process runs them all: with more than one nobody knows which it was.
  [[nodiscard]] std::string task_of(AttemptId) const override {
    return running_.size() == 1 ? running_.begin()->second.task.id : "";
  }
  [[nodiscard]] std::string task_at(WallTime when) const override {
    if (running_.size() != 1) return "";
    const Task& task = running_.begin()->second.task;
    return task.started_at <= when ? task.id : "";
  }
  [[nodiscard]] std::vector<std::pair<AttemptId, std::string>> running_tasks() const override {
    std::vector<std::pair<AttemptId, std::string>> tasks;
    for (const auto& [attempt, run] : running_)
      if (run.request_bytes != 0) tasks.emplace_back(worker_, run.task.id);
    return tasks;
  }

 private:
  struct Running {
    Task task;
    size_t request_bytes = 0;  // 0: not sent yet
    bool stopping = false;
    std::optional<Outcome> over;  // the limit that it ran into
    MonoTime last_sign;           // of progress
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
  void look_at_limits(AttemptId attempt);
  void sign_of_progress(AttemptId attempt);
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

}  // namespace fabric
