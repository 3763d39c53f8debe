// SPDX-License-Identifier: Apache-2.0
// The living side of one agent: its sandbox, the connection to its init, and the runner of its
// tasks. In the I/O thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/event_loop.hpp"
#include "isolation/isolation_manager.hpp"
#include "model/agent.hpp"
#include "supervisor/task_runner.hpp"

namespace fabric {

class AgentHost {
 public:
  // The process of the sandbox ended. Its cgroup may still hold something: destroy it, then
  // abandon().
  using OnEnd = std::function<void()>;

  AgentHost(TaskRunner::Context context, const Agent& agent, Sandbox sandbox,
            TaskRunner::Hooks hooks, OnEnd on_end);
  ~AgentHost();
  AgentHost(const AgentHost&) = delete;
  AgentHost& operator=(const AgentHost&) = delete;

  // A sandbox that was just made runs nothing.
  Status begin_fresh();
  // One that a predecessor made: what init says it runs is held against what the store says.
  Status begin_adopted(std::vector<Task> running, std::function<void()> reconciled);

  [[nodiscard]] TaskRunner& runner() { return *runner_; }
  [[nodiscard]] const SandboxIdentity& identity() const { return identity_; }
  // The two-step stop of one attempt, also of one whose adoption is under way.
  void stop(AttemptId attempt);
  // The init's end of a new link to the egress process.
  Status give_link(const Fd& link) { return connection_->give_link(link); }
  // A limit that is watched from outside was passed: what runs is ended, and says `message`.
  void over_limit(EndReason reason, const std::string& message);
  // Everything in it is stopped within `grace`, then init exits; when it does not, it is destroyed.
  void shut_down(Duration grace);
  // After the sandbox was destroyed: all that it ran goes back into the queue.
  void abandon(AgentScheduler::Requeue why, const std::string& detail);

 private:
  Status watch();
  void on_readable();
  void handle(const InitEvent& event);
  void connection_broken(const Error& error);
  void destroy();

  TaskRunner::Context context_;
  std::string agent_id_;
  SandboxIdentity identity_;
  Fd pidfd_;
  std::shared_ptr<InitConnection> connection_;
  std::shared_ptr<TaskRunner> runner_;
  OnEnd on_end_;
  bool adopted_ = false;
  bool connected_ = true;
  bool shutting_down_ = false;
  std::vector<Task> running_at_adoption_;
  std::function<void()> reconciled_;
  std::function<void(const Task&, AgentScheduler::Requeue, std::string, std::function<void()>)>
      requeue_;
  std::function<void(const DeniedCall&)> denied_;
  std::function<void(const LearnedUse&)> learned_;
  EventLoop::TimerId end_timer_ = 0;
};

}  // namespace fabric
