// SPDX-License-Identifier: Apache-2.0
#include "supervisor/agent_host.hpp"

#include <sys/epoll.h>

#include "telemetry/log.hpp"

namespace fabric {

AgentHost::AgentHost(TaskRunner::Context context, const Agent& agent, Sandbox sandbox,
                     TaskRunner::Hooks hooks, OnEnd on_end)
    : context_(context),
      agent_id_(agent.definition.id),
      identity_(std::move(sandbox.identity)),
      pidfd_(std::move(sandbox.pidfd)),
      connection_(std::make_shared<InitConnection>(std::move(sandbox.connection))),
      on_end_(std::move(on_end)) {
  runner_ = agent.definition.kind == AgentKind::worker
                ? make_worker_runner(context_, agent, connection_, std::move(hooks))
                : make_exec_runner(context_, agent, connection_, std::move(hooks));
}

AgentHost::~AgentHost() {
  if (connected_) context_.loop.forget(connection_->fd());
  if (pidfd_) context_.loop.forget(pidfd_.get());
}

Status AgentHost::watch() {
  TRY_STATUS(context_.loop.watch(connection_->fd(), EPOLLIN, [this](uint32_t events) {
    if ((events & EPOLLOUT) != 0) send_pending();
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
  send_pending();
}

void AgentHost::handle(const InitEvent& event) {
  if (const auto* state = std::get_if<InitState>(&event)) {
    if (!adopted_) return;
    adopted_ = false;
    runner_->begin(*state, std::move(running_at_adoption_));
    if (reconciled_) reconciled_();
  } else if (const auto* exit = std::get_if<AttemptExit>(&event)) {
    runner_->on_exit(*exit);
  } else if (const auto* line = std::get_if<WorkerLine>(&event)) {
    runner_->on_line(*line);
  }
}

// The end of the process tells the rest; a connection that breaks while init lives is a defect of
// init, and the sandbox cannot be used any more.
void AgentHost::connection_broken(const Error& error) {
  log::info("connection to init closed", {{"agent", agent_id_}, {"why", error.message}});
  context_.loop.forget(connection_->fd());
  connected_ = false;
  context_.launcher.post([identity = identity_](IsolationManager& manager) {
    [[maybe_unused]] Status destroyed = manager.destroy_sandbox(identity);
    return std::function<void()>();
  });
}

void AgentHost::send_pending() {
  if (!connected_) return;
  if (connection_->wants_write()) [[maybe_unused]]
    Status sent = connection_->flush();
  uint32_t out = connection_->wants_write() ? static_cast<uint32_t>(EPOLLOUT) : 0U;
  [[maybe_unused]] Status changed = context_.loop.change(connection_->fd(), EPOLLIN | out);
}

void AgentHost::shut_down(Duration grace) {
  if (shutting_down_) return;
  shutting_down_ = true;
  [[maybe_unused]] Status sent = connection_->shut_down(grace);
}

}  // namespace fabric
