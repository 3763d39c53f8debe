// SPDX-License-Identifier: Apache-2.0
// Runs the tasks of one agent inside its sandbox; one implementation for each kind of agent. In the
// I/O thread. A runner starts and watches attempts; what their ends mean for the queue is decided
// in the store thread, through the hooks. Callbacks under way keep a runner alive
// (shared_from_this), so an end that is being written is not forgotten when the sandbox goes
// meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/event_loop.hpp"
#include "config/workspace.hpp"
#include "isolation/init_connection.hpp"
#include "model/agent.hpp"
#include "scheduler/agent_scheduler.hpp"
#include "supervisor/launcher_thread.hpp"

namespace fabric {

class TaskRunner : public std::enable_shared_from_this<TaskRunner> {
 public:
  struct Context {
    EventLoop& loop;
    LauncherThread& launcher;
    const config::Workspace& workspace;
    const Clock& clock;
  };
  struct Hooks {
    // The attempt ended. `committed` must be called once its end is in the store.
    std::function<void(const Task&, Outcome, std::function<void()> committed)> finished;
    // The attempt has no outcome: back into the queue. `done` likewise.
    std::function<void(const Task&, AgentScheduler::Requeue, std::string detail,
                       std::function<void()> done)>
        requeue;
    // A number for an attempt that is no task (a worker process); answered later, in the loop.
    std::function<void(std::function<void(AttemptId)>)> new_attempt_id;
    // What an attempt used, beyond what was reported before.
    std::function<void(const Task&, Usage, std::function<void()> committed)> usage;
    std::function<void()> heartbeat;
    // The sandbox denied something to a process of an attempt.
    std::function<void(const DeniedCall&)> denied;
    // It learns, and was used for something.
    std::function<void(const LearnedUse&)> learned = {};
    // The agent cannot go on (its worker dies again and again).
    std::function<void(std::string why)> broken;
  };

  virtual ~TaskRunner() = default;

  // Once after connecting. `running`: what the store says this agent runs; with a new sandbox that
  // is nothing. What init does not know never started and goes back into the queue.
  virtual void begin(const InitState& state, std::vector<Task> running) = 0;
  virtual void start(Task task) = 0;
  virtual void stop(AttemptId attempt) = 0;  // the two-step stop; unknown attempts are ignored
  virtual void stop_all() = 0;
  // The sandbox is about to be stopped, and nothing runs in it any more.
  virtual void say_farewell() {}
  virtual void on_exit(const AttemptExit& exit) = 0;
  virtual void on_line(const WorkerLine& line) = 0;
  // The sandbox is gone: every attempt it ran is lost (or, when the supervisor goes down, was
  // interrupted).
  virtual void abandon(AgentScheduler::Requeue why, const std::string& detail) = 0;
  [[nodiscard]] virtual size_t running() const = 0;
  // The task that an attempt runs, as far as that is known; "" if not.
  [[nodiscard]] virtual std::string task_of(AttemptId attempt) const = 0;
  // The only one that runs, if it ran at this time already; else "".
  [[nodiscard]] virtual std::string task_at(WallTime when) const = 0;
  // Ids of the tasks that run, by the attempt that their init knows (of a worker: the worker's).
  [[nodiscard]] virtual std::vector<std::pair<AttemptId, std::string>> running_tasks() const = 0;
  // The supervisor goes down in order: attempts that were stopped for it return to the queue.
  void set_going_down() { going_down_ = true; }

 protected:
  bool going_down_ = false;
};

std::shared_ptr<TaskRunner> make_exec_runner(TaskRunner::Context context, Agent agent,
                                             std::shared_ptr<InitConnection> connection,
                                             TaskRunner::Hooks hooks);
std::shared_ptr<TaskRunner> make_worker_runner(TaskRunner::Context context, Agent agent,
                                               std::shared_ptr<InitConnection> connection,
                                               TaskRunner::Hooks hooks);

// Shared by both kinds.
std::vector<std::string> agent_environment(const Agent& agent, const config::Workspace& workspace);
Outcome not_started(std::string detail);
// "killed by SIGKILL", "exit code 3"
std::string describe_end(const AttemptExit& exit);

}  // namespace fabric
