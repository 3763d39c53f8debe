// SPDX-License-Identifier: Apache-2.0
#include "supervisor/agent_host.hpp"

#include <sys/epoll.h>

#include "telemetry/log.hpp"

namespace fabric {
namespace {

// Beyond the grace that init was given.
constexpr Duration k_end_patience = Duration::seconds(5);

}  // namespace

AgentHost::AgentHost(TaskRunner::Context context, const Agent& agent, Sandbox sandbox,
                     TaskRunner::Hooks hooks, OnEnd on_end)
    : context_(context),
      agent_id_(agent.definition.id),
      identity_(std::move(sandbox.identity)),
      pidfd_(std::move(sandbox.pidfd)),
      connection_(std::make_shared<InitConnection>(std::move(sandbox.connection))),
      on_end_(std::move(on_end)),
      requeue_(hooks.requeue),
      denied_(hooks.denied),
      learned_(hooks.learned) {
  runner_ = agent.definition.kind == AgentKind::worker
                ? make_worker_runner(context_, agent, connection_, std::move(hooks))
                : make_exec_runner(context_, agent, connection_, std::move(hooks));
}

AgentHost::~AgentHost() {
  if (connected_) context_.loop.forget(connection_->fd());
  if (pidfd_) context_.loop.forget(pidfd_.get());
  if (end_timer_ != 0) context_.loop.cancel(end_timer_);
}

// Edge-triggered: writability matters only after the socket was full, and on_readable() reads until
// there is nothing left.
Status AgentHost::watch() {
  TRY_STATUS(
      context_.loop.watch(connection_->fd(), EPOLLIN | EPOLLOUT | EPOLLET, [this](uint32_t events) {
        if ((events & EPOLLOUT) != 0 && connected_) {
          [[maybe_unused]] Status sent = connection_->flush();
        }
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable();
      }));
  // One shot: a pidfd stays readable for ever.
  return context_.loop.watch(pidfd_.get(), EPOLLIN | EPOLLONESHOT, [this](uint32_t) {
    if (connected_) on_readable();  // what it said last
    on_end_();                      // may destroy this
  });
}

Status AgentHost::begin_fresh() {
  TRY_STATUS(watch());
  runner_->begin({}, {});
  return {};
}

Status AgentHost::begin_adopted(std::vector<Task> running, std::function<void()> reconciled) {
  adopted_ = true;
  running_at_adoption_ = std::move(running);
  reconciled_ = std::move(reconciled);
  return watch();
}

void AgentHost::on_readable() {
  while (connected_) {
    Result<std::optional<InitEvent>> event = connection_->receive();
    if (!event) return connection_broken(event.error());
    if (!*event) break;
    handle(**event);
  }
}

void AgentHost::handle(const InitEvent& event) {
  if (const auto* state = std::get_if<InitState>(&event)) {
    if (!adopted_) return;
    adopted_ = false;
    std::vector<Task> running = std::move(running_at_adoption_);
    running_at_adoption_.clear();
    runner_->begin(*state, std::move(running));
    if (reconciled_) reconciled_();
  } else if (const auto* exit = std::get_if<AttemptExit>(&event)) {
    runner_->on_exit(*exit);
  } else if (const auto* line = std::get_if<WorkerLine>(&event)) {
    runner_->on_line(*line);
  } else if (const auto* denied = std::get_if<DeniedCall>(&event)) {
    if (denied_) denied_(*denied);
  } else if (const auto* used = std::get_if<LearnedUse>(&event)) {
    if (learned_) learned_(*used);
  }
}

// The end of the process tells the rest; a connection that breaks while init lives is a defect of
// init, and the sandbox cannot be used any more.
void AgentHost::connection_broken(const Error& error) {
  log::info("connection to init closed", {{"agent", agent_id_}, {"why", error.message}});
  context_.loop.forget(connection_->fd());
  connected_ = false;
  destroy();
}

void AgentHost::destroy() {
  context_.launcher.post([identity = identity_](IsolationManager& manager) {
    [[maybe_unused]] Status destroyed = manager.destroy_sandbox(identity);
    return std::function<void()>();
  });
}

void AgentHost::stop(AttemptId attempt) {
  for (Task& task : running_at_adoption_)
    if (task.attempt_id == attempt) task.reason = Reason::user;  // begin() sees it
  runner_->stop(attempt);
}

void AgentHost::over_limit(EndReason reason, const std::string& message) {
  if (!connected_) return;
  [[maybe_unused]] Status sent = connection_->over_limit(reason, message);
}

void AgentHost::shut_down(Duration grace) {
  if (shutting_down_) return;
  shutting_down_ = true;
  runner_->say_farewell();
  [[maybe_unused]] Status sent = connection_->shut_down(grace);
  end_timer_ = context_.loop.after(grace + k_end_patience, [this] {
    end_timer_ = 0;
    log::warn("init does not end", {{"agent", agent_id_}});
    destroy();
  });
}

void AgentHost::abandon(AgentScheduler::Requeue why, const std::string& detail) {
  runner_->abandon(why, detail);
  for (const Task& task : running_at_adoption_) requeue_(task, why, detail, [] {});
  running_at_adoption_.clear();
}

}  // namespace fabric
