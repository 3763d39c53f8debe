// SPDX-License-Identifier: Apache-2.0
// What a predecessor left: living sandboxes are adopted, dead ones cleaned up and rebuilt, and
// tasks that ran in them finished with their true exit status or put back into the queue.
//
// "Its lock is free" does not mean "its children are dead": nothing is put back into the queue
// before the sandbox it ran in was killed and its cgroup seen empty.
#include <unistd.h>

#include "base/process.hpp"
#include "isolation/exit_journal.hpp"
#include "lifecycle/lifecycle_manager.hpp"
#include "scheduler/payload.hpp"
#include "supervisor/attempt_outcome.hpp"
#include "supervisor/core.hpp"
#include "supervisor/task_files.hpp"
#include "telemetry/log.hpp"

namespace fabric {

SandboxIdentity SupervisorCore::identity_of(const Agent& agent) const {
  SandboxIdentity identity;
  identity.pid = agent.pid;
  identity.start_time = agent.pid_start_time;
  identity.boot_id = agent.boot_id;
  identity.generation = agent.generation;
  identity.cgroup = agent.cgroup;
  identity.control_socket = socket_path(agent);
  identity.exit_journal = journal_path(agent);
  identity.own_network = agent.definition.isolation != IsolationLevel::none;
  return identity;
}

Status SupervisorCore::recover() {
  std::vector<Agent> agents;
  std::unordered_map<std::string, std::vector<Task>> running;
  std::vector<std::string> cgroups;
  {
    store::ReadTxn txn = TRY(store_->read());
    agents = TRY(txn.list_agents());
    for (const Agent& agent : agents) {
      cgroups.push_back(agent.cgroup);
      for (uint64_t sequence : TRY(txn.running_tasks(agent.number)))
        if (std::optional<Task> task = TRY(txn.find_task(sequence))) {
          // What a worker was perhaps not sent yet is sent as the claim would have.
          if (Result<std::string> payload = expand_task_references(txn, *task))
            task->payload = *std::move(payload);
          running[agent.definition.id].push_back(std::move(*task));
        }
    }
  }
  recovering_ = 1;
  launcher_->post([cgroups](IsolationManager& manager) {
    Result<size_t> removed = manager.remove_unknown(cgroups);
    if (!removed) log::warn("left-over cgroups", {{"error", removed.error().message}});
    return std::function<void()>();
  });
  for (const Agent& agent : agents) {
    if (agent.definition.kind == AgentKind::external) continue;  // nothing of it is ours
    ++recovering_;
    recover_agent(agent, std::move(running[agent.definition.id]));
  }
  store::SupervisorRecord record;
  record.pid = ::getpid();
  record.pid_start_time = process_start_time(::getpid()).value_or(0);
  record.boot_id = boot_id().value_or("");
  record.since = clock_.now();
  record.version = options_.version;
  writer_->post(
      [record](store::WriteTxn& txn, Dispatcher&) -> Status { return txn.save_supervisor(record); },
      [this](Status) { recovered_one(); });
  return {};
}

void SupervisorCore::recovered_one() {
  if (--recovering_ == 0 && !serving_ && !going_down_) serve();
}

void SupervisorCore::recover_agent(const Agent& agent, std::vector<Task> running) {
  Entry& entry = agents_[agent.definition.id];
  entry.agent = agent;
  entry.was_ready = agent.started_at.set();
  entry.terminating = agent.state == AgentState::stopping;
  entry.launching = true;  // busy until adopted or destroyed
  if (agent.state == AgentState::ready && agent.pid != 0) return adopt(agent, std::move(running));
  rebuild(agent, std::move(running));
}

void SupervisorCore::adopt(const Agent& agent, std::vector<Task> running) {
  launcher_->post([this, agent, running = std::move(running),
                   identity = identity_of(agent)](IsolationManager& manager) {
    auto adopted = std::make_shared<Result<Sandbox>>(manager.adopt_sandbox(identity));
    return std::function<void()>([this, agent, running, adopted] {
      const std::string id = agent.definition.id;
      if (!*adopted) {
        log::info("sandbox is gone", {{"agent", id}, {"why", adopted->error().message}});
        return rebuild(agent, running);
      }
      Entry& entry = agents_.at(id);
      entry.launching = false;
      entry.host = std::make_unique<AgentHost>(runner_context(), agent, std::move(**adopted),
                                               hooks_for(id), [this, id] { host_ended(id); });
      log::info("sandbox adopted", {{"agent", id}, {"running", std::to_string(running.size())}});
      watch_disk(entry);
      if (going_down_) entry.host->runner().set_going_down();
      Status begun = entry.host->begin_adopted(running, [this, agent] {
        writer_->post(
            [agent](store::WriteTxn&, Dispatcher& dispatcher) -> Status {
              dispatcher.available(agent);
              return {};
            },
            {});
        if (going_down_) stop_running_tasks();
      });
      if (!begun)
        log::error("agent not watched", {{"agent", id}, {"error", begun.error().message}});
      attach_adopted_sandbox(agent);
      recovered_one();
      check_down();
    });
  });
}

// Its init is dead, but had recorded how the attempt ended.
bool SupervisorCore::finish_from_journal(const Agent& agent, const Task& task,
                                         const std::vector<AttemptExit>& journal) {
  if (agent.definition.kind != AgentKind::exec) return false;  // answers of workers died with it
  for (const AttemptExit& exit : journal) {
    if (exit.attempt != task.attempt_id) continue;
    bool stop_was_asked = task.reason == Reason::user || task.reason == Reason::agent_gone;
    if (exit.reason == EndReason::stopped && !stop_was_asked) {
      requeue(task, AgentScheduler::Requeue::interrupted,
              "its sandbox stopped without a supervisor", [] {});
      return true;
    }
    Outcome outcome = outcome_of(exit, task, agent.definition);
    if (Result<TaskFiles> files = open_task_files(workspace_, task)) {
      outcome.result = read_head(files->output, outcome.result_bytes);
      if (!outcome.result.whole) ::fdatasync(files->output.get());
    }
    finish(task, std::make_shared<const Outcome>(std::move(outcome)), [] {});
    return true;
  }
  return false;
}

// Destroys what there may be of the old sandbox, then makes a new one.
void SupervisorCore::rebuild(const Agent& agent, std::vector<Task> running) {
  destroy(identity_of(agent), journal_path(agent),
          [this, agent, running = std::move(running)](const std::vector<AttemptExit>& journal) {
            const std::string id = agent.definition.id;
            for (const Task& task : running)
              if (!finish_from_journal(agent, task, journal))
                requeue(task, AgentScheduler::Requeue::lost, "its sandbox died with the supervisor",
                        [] {});
            discard_journal(journal_path(agent));
            agents_.at(id).launching = false;
            recovered_one();
            if (agents_.at(id).terminating) return remove_agent(id);
            if (going_down_) return check_down();
            start_again(id, agent.state == AgentState::ready);
          });
}

}  // namespace fabric
