// SPDX-License-Identifier: Apache-2.0
// Agents in the supervisor: spawn, sandbox made, made again. How they end is in agents_end.cpp.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lifecycle/lifecycle_manager.hpp"
#include "supervisor/core.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, path);
  return {};
}

Status make_directories(const config::Workspace& workspace, const std::string& id) {
  TRY_STATUS(make_directory(workspace.agent_state_dir(id)));
  return make_directory(workspace.work_dir(id));
}

// Of an agent that never came to be: only what is empty goes.
void remove_directories(const config::Workspace& workspace, const std::string& id) {
  ::rmdir(workspace.work_dir(id).c_str());
  ::rmdir(workspace.agent_state_dir(id).c_str());
  ::rmdir(workspace.logs_dir(id).c_str());
}

}  // namespace

SupervisorCore::Entry* SupervisorCore::find(const std::string& id) {
  auto found = agents_.find(id);
  return found == agents_.end() ? nullptr : &found->second;
}

std::string SupervisorCore::socket_path(const Agent& agent) const {
  return workspace_.run_dir() + "/agents/" + agent.cgroup + ".sock";
}

std::string SupervisorCore::journal_path(const Agent& agent) const {
  return workspace_.run_dir() + "/agents/" + agent.cgroup + ".exits";
}

SandboxSpec SupervisorCore::spec_of(const Agent& agent) const {
  const AgentDefinition& d = agent.definition;
  SandboxSpec spec;
  spec.name = d.id;
  spec.number = agent.number;
  spec.generation = agent.generation;
  spec.cgroup = agent.cgroup;
  spec.level = d.isolation;
  spec.limits = d.limits;
  spec.options = d.sandbox;
  spec.slots = d.kind == AgentKind::worker ? 1 : d.max_concurrent_tasks;
  spec.work_dir = workspace_.work_dir(d.id);
  if (d.isolation == IsolationLevel::container) spec.changes_dir = workspace_.changes_dir(d.id);
  spec.image_store = workspace_.state_dir() + "/images";
  spec.workspace = workspace_.root;
  spec.control_socket = socket_path(agent);
  spec.exit_journal = journal_path(agent);
  spec.orphan_grace = settings_.orphan_grace;
  // A command whose first word comes from the payload can only be looked up when it runs.
  if (d.command[0].find("{payload.") == std::string::npos) spec.probe_command = d.command[0];
  for (const std::string& entry : agent_environment(agent, workspace_))
    if (entry.starts_with("PATH=")) spec.path_env = entry.substr(5);
  return spec;
}

TaskRunner::Context SupervisorCore::runner_context() {
  return {*loop_, *launcher_, workspace_, clock_};
}

TaskRunner::Hooks SupervisorCore::hooks_for(const std::string& id) {
  TaskRunner::Hooks hooks;
  hooks.finished = [this, id](const Task& task, Outcome outcome, std::function<void()> committed) {
    say_what_was_denied(id, task, outcome);
    auto shared = std::make_shared<const Outcome>(std::move(outcome));
    const Entry* entry = find(id);
    if (!entry || !entry->agent.definition.sandbox.learn)
      return finish(task, std::move(shared), std::move(committed));
    // Who is told that it ended can read what was learned of it.
    egress_->read_now();
    learner_->run_ended(entry->agent,
                        [this, task, shared, committed] { finish(task, shared, committed); });
  };
  hooks.requeue = [this](const Task& task, AgentScheduler::Requeue why, std::string detail,
                         std::function<void()> done) {
    requeue(task, why, detail, std::move(done));
  };
  hooks.new_attempt_id = [this](std::function<void(AttemptId)> use) {
    new_attempt_id(std::move(use));
  };
  hooks.usage = [this](const Task& task, Usage usage, std::function<void()> committed) {
    add_usage(task, usage, std::move(committed));
  };
  hooks.denied = [this, id](const DeniedCall& denied) { denied_call(id, denied); };
  hooks.learned = [this, id](const LearnedUse& use) {
    if (const Entry* entry = find(id)) learner_->add(entry->agent, use);
  };
  hooks.heartbeat = [this, id] {
    if (Entry* entry = find(id)) entry->heartbeat_at = clock_.now();
  };
  hooks.broken = [this, id](std::string why) { agent_broken(id, why); };
  return hooks;
}

void SupervisorCore::new_attempt_id(std::function<void(AttemptId)> use) {
  auto attempt = std::make_shared<AttemptId>(0);
  writer_->post(
      [attempt](store::WriteTxn& txn, Dispatcher&) -> Status {
        *attempt = TRY(txn.next_unique());
        return {};
      },
      [this, attempt, use = std::move(use)](Status status) {
        if (status) return use(*attempt);
        log::error("no attempt id yet", {{"error", status.error().message}});
        loop_->after(Duration::seconds(1), [this, use] { new_attempt_id(use); });
      });
}

void SupervisorCore::spawn(const AgentDefinition& definition, Responder responder) {
  // While the store commits; of an agent that exists they are there already.
  launcher_->post([this, id = definition.id](IsolationManager&) {
    [[maybe_unused]] Status made = make_directories(workspace_, id);
    return std::function<void()>();
  });
  auto agent = std::make_shared<Agent>();
  writer_->post(
      [this, definition, agent](store::WriteTxn& txn, Dispatcher&) -> Status {
        *agent = TRY(LifecycleManager(txn, clock_.now()).spawn(definition));
        return {};
      },
      [this, agent, responder](Status status) {
        if (!status) return responder.error(status.error());
        Entry& entry = agents_[agent->definition.id];
        entry.agent = *agent;
        entry.spawn_waiters.push_back(responder);
        launch(*agent);
      });
}

void SupervisorCore::launch(const Agent& agent) {
  Entry& entry = agents_[agent.definition.id];
  entry.agent = agent;
  entry.launching = true;
  launcher_->post(
      [this, spec = spec_of(agent), id = agent.definition.id](IsolationManager& manager) {
        auto made = std::make_shared<Result<Sandbox>>([&]() -> Result<Sandbox> {
          TRY_STATUS(make_directories(workspace_, id));
          return manager.create_sandbox(spec);
        }());
        return std::function<void()>([this, id, made] { launched(id, std::move(*made)); });
      });
}

void SupervisorCore::launched(const std::string& id, Result<Sandbox> sandbox) {
  Entry& entry = agents_.at(id);
  entry.launching = false;
  if (!sandbox) return launch_failed(entry, sandbox.error());
  entry.agent.pid = sandbox->identity.pid;
  entry.agent.pid_start_time = sandbox->identity.start_time;
  entry.agent.boot_id = sandbox->identity.boot_id;
  Fd egress_link = std::move(sandbox->egress_link);
  entry.agent.disk_quota = sandbox->disk_quota;
  entry.agent.degraded = sandbox->degraded;
  entry.host = std::make_unique<AgentHost>(runner_context(), entry.agent, std::move(*sandbox),
                                           hooks_for(id), [this, id] { host_ended(id); });
  watch_disk(entry);
  if (going_down_) entry.host->runner().set_going_down();
  Status begun = entry.host->begin_fresh();
  if (!begun) log::error("agent not watched", {{"agent", id}, {"error", begun.error().message}});
  if (entry.terminating || entry.renewing || going_down_) return entry.host->shut_down(Duration{});
  if (egress_link) return attach_new_sandbox(entry, std::move(egress_link));
  make_ready(entry);
}

void SupervisorCore::make_ready(Entry& entry) {
  const Agent agent = entry.agent;
  auto ready = std::make_shared<Agent>();
  writer_->post(
      [this, agent, ready](store::WriteTxn& txn, Dispatcher& dispatcher) -> Status {
        *ready = TRY(LifecycleManager(txn, clock_.now())
                         .sandbox_ready(agent.definition.id, agent.pid, agent.pid_start_time,
                                        agent.boot_id, agent.disk_quota, agent.degraded));
        dispatcher.available(*ready);
        return {};
      },
      [this, id = agent.definition.id, ready](Status status) {
        Entry* made = find(id);
        if (!made) return;
        if (!status) {
          log::error("agent not ready yet", {{"agent", id}, {"error", status.error().message}});
          // A full disk passes; a termination that came first does not, and goes its own way.
          if (status.error().code == ErrorCode::unavailable)
            loop_->after(Duration::seconds(1), [this, id] {
              Entry* again = find(id);
              if (again && again->host && !again->terminating) make_ready(*again);
            });
          return;
        }
        made->agent = *ready;
        made->was_ready = true;
        log::info("agent ready", {{"agent", id}, {"pid", std::to_string(ready->pid)}});
        for (Responder& waiter : made->spawn_waiters) waiter.result(control::encode_id(id));
        made->spawn_waiters.clear();
      });
}

void SupervisorCore::launch_failed(Entry& entry, const Error& error) {
  const std::string id = entry.agent.definition.id;
  log::warn("sandbox not made", {{"agent", id}, {"error", error.message}});
  if (!entry.was_ready && !entry.terminating) {
    // Its spawn was never acknowledged: it leaves nothing behind.
    entry.terminating = true;
    writer_->post(
        [this, id](store::WriteTxn& txn, Dispatcher&) -> Status {
          LifecycleManager lifecycle(txn, clock_.now());
          Agent gone = TRY(lifecycle.change(id, AgentEvent::terminate, ""));
          TRY(AgentScheduler(txn, clock_.now()).cancel_all(gone));
          return lifecycle.remove(id);
        },
        [this, id, error](Status) {
          Entry* failed = find(id);
          if (!failed) return;
          for (const Responder& waiter : failed->spawn_waiters) waiter.error(error);
          for (const Responder& waiter : failed->terminate_waiters)
            waiter.result(control::encode_counts({{"cancelled", 0}, {"stopped", 0}}));
          agents_.erase(id);
          remove_directories(workspace_, id);
          check_down();
        });
    return;
  }
  if (entry.terminating) return remove_agent(id);
  writer_->post(
      [this, id, error](store::WriteTxn& txn, Dispatcher&) -> Status {
        TRY(LifecycleManager(txn, clock_.now())
                .change(id, AgentEvent::sandbox_failed, error.message));
        return {};
      },
      [this, id](Status) {
        if (Entry* failed = find(id)) failed->agent.state = AgentState::failed;
        check_down();
      });
}

void SupervisorCore::start_again(const std::string& id, bool after_a_loss) {
  auto agent = std::make_shared<Agent>();
  writer_->post(
      [this, id, after_a_loss, agent](store::WriteTxn& txn, Dispatcher&) -> Status {
        *agent = TRY(LifecycleManager(txn, clock_.now()).start_again(id, after_a_loss));
        return {};
      },
      [this, id, agent](Status status) {
        Entry* entry = find(id);
        if (!entry) return;
        if (!status) {
          log::error("agent not started again", {{"agent", id}, {"error", status.error().message}});
          return;
        }
        if (entry->terminating) return remove_agent(id);
        if (going_down_) return check_down();
        launch(*agent);
      });
}

}  // namespace fabric
