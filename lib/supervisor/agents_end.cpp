// SPDX-License-Identifier: Apache-2.0
// Agents in the supervisor: how they end, of themselves or because someone says so.
#include <unistd.h>

#include "isolation/exit_journal.hpp"
#include "lifecycle/lifecycle_manager.hpp"
#include "supervisor/core.hpp"
#include "telemetry/log.hpp"

namespace fabric {

void SupervisorCore::host_ended(const std::string& id) {
  Entry* entry = find(id);
  if (!entry || !entry->host) return;
  if (disk_watch_) disk_watch_->remove(entry->host->identity().cgroup);
  const bool expected = entry->terminating || entry->renewing || going_down_ || entry->launch_error;
  if (!expected) log::warn("sandbox ended by itself", {{"agent", id}});
  writer_->post(
      [id](store::WriteTxn&, Dispatcher& dispatcher) -> Status {
        dispatcher.unavailable(id);
        return {};
      },
      {});
  destroy(entry->host->identity(), journal_path(entry->agent),
          [this, id](const std::vector<AttemptExit>& journal) { sandbox_destroyed(id, journal); });
}

// Only when its cgroup is seen empty may its tasks run anywhere else: until then it tries again.
void SupervisorCore::destroy(const SandboxIdentity& identity, const std::string& journal,
                             std::function<void(const std::vector<AttemptExit>&)> then) {
  launcher_->post([this, identity, journal, then = std::move(then)](IsolationManager& manager) {
    Status destroyed = manager.destroy_sandbox(identity);
    if (!destroyed) {
      log::error("sandbox not destroyed yet",
                 {{"cgroup", identity.cgroup}, {"error", destroyed.error().message}});
      return std::function<void()>([this, identity, journal, then] {
        loop_->after(Duration::seconds(1),
                     [this, identity, journal, then] { destroy(identity, journal, then); });
      });
    }
    // What init recorded and could not say any more.
    auto exits = read_exit_journal(journal).value_or(std::vector<AttemptExit>{});
    return std::function<void()>([then, exits] { then(exits); });
  });
}

// Behind the ends that were taken from it: they are committed in order.
void SupervisorCore::discard_journal(const std::string& path) {
  writer_->post([](store::WriteTxn&, Dispatcher&) { return Status(); },
                [path](Status status) {
                  if (status) ::unlink(path.c_str());
                });
}

void SupervisorCore::sandbox_destroyed(const std::string& id,
                                       const std::vector<AttemptExit>& journal) {
  Entry& entry = agents_.at(id);
  if (entry.agent.definition.kind == AgentKind::exec)
    for (const AttemptExit& exit : journal) entry.host->runner().on_exit(exit);
  auto why = going_down_ ? AgentScheduler::Requeue::interrupted : AgentScheduler::Requeue::lost;
  entry.host->abandon(why, going_down_ ? "interrupted when fabric went down" : "its sandbox died");
  discard_journal(journal_path(entry.agent));
  entry.host.reset();
  egress_->detach(entry.agent.cgroup);
  if (std::optional<Error> error = std::exchange(entry.launch_error, {}))
    return launch_failed(entry, *error);
  if (entry.terminating) return remove_agent(id);
  if (going_down_) return check_down();
  if (std::exchange(entry.renewing, false)) return start_again(id, false);
  restart_or_give_up(entry);
}

void SupervisorCore::restart_or_give_up(Entry& entry) {
  const std::string id = entry.agent.definition.id;
  if (std::optional<Duration> delay = entry.restarts.died(loop_->now())) {
    if (delay->ns == 0) return start_again(id, true);
    entry.restart_timer = loop_->after(*delay, [this, id] {
      if (Entry* later = find(id)) {
        later->restart_timer = 0;
        start_again(id, true);
      }
    });
    return;
  }
  agent_broken(id, "its sandbox died again and again");
}

void SupervisorCore::agent_broken(const std::string& id, const std::string& why) {
  log::error("agent failed", {{"agent", id}, {"why", why}});
  writer_->post(
      [this, id, why](store::WriteTxn& txn, Dispatcher& dispatcher) -> Status {
        dispatcher.unavailable(id);
        TRY(LifecycleManager(txn, clock_.now()).change(id, AgentEvent::give_up, why));
        return {};
      },
      [this, id](Status) {
        if (Entry* entry = find(id)) entry->agent.state = AgentState::failed;
      });
}

void SupervisorCore::terminate(const std::string& id, Responder responder) {
  auto gone = std::make_shared<AgentScheduler::AgentGone>();
  writer_->post(
      [this, id, gone](store::WriteTxn& txn, Dispatcher& dispatcher) -> Status {
        Agent agent =
            TRY(LifecycleManager(txn, clock_.now()).change(id, AgentEvent::terminate, ""));
        AgentScheduler scheduler(txn, clock_.now());
        *gone = TRY(scheduler.cancel_all(agent));
        dispatcher.unavailable(id);
        return {};
      },
      [this, id, gone, responder](Status status) {
        if (!status) return responder.error(status.error());
        Entry& entry = agents_[id];
        entry.terminate_waiters.push_back(responder);
        entry.terminated.cancelled += gone->cancelled;
        entry.terminated.stopped += gone->running.size();
        if (entry.terminating) return;
        entry.terminating = true;
        if (entry.restart_timer != 0) loop_->cancel(entry.restart_timer);
        entry.restart_timer = 0;
        if (entry.launching) return;  // launched() sees the flag
        if (!entry.host) return remove_agent(id);
        entry.host->runner().stop_all();
        if (entry.host->runner().running() == 0)
          entry.host->shut_down(entry.agent.definition.grace);
      });
}

void SupervisorCore::remove_agent(const std::string& id) {
  writer_->post(
      [this, id](store::WriteTxn& txn, Dispatcher&) -> Status {
        return LifecycleManager(txn, clock_.now()).remove(id);
      },
      [this, id](Status status) {
        Entry* entry = find(id);
        if (!entry) return;
        for (Responder& waiter : entry->terminate_waiters) {
          if (!status) {
            waiter.error(status.error());
            continue;
          }
          waiter.result(control::encode_counts({{"cancelled", entry->terminated.cancelled},
                                                {"stopped", entry->terminated.stopped}}));
        }
        for (Responder& waiter : entry->spawn_waiters)
          waiter.error({ErrorCode::failed, "agent " + id + " was terminated", ""});
        violations_->forget(entry->agent);
        learner_->forget(id);
        agents_.erase(id);
        log::info("agent terminated", {{"agent", id}});
        check_down();
      });
}

}  // namespace fabric
