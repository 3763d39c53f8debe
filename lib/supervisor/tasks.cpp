// SPDX-License-Identifier: Apache-2.0
// Tasks in the supervisor: from a committed claim to a committed end.
#include "supervisor/core.hpp"
#include "telemetry/log.hpp"

namespace fabric {

// Claims are on disk by now: only from here on may a process exist.
void SupervisorCore::start_claims(std::vector<Dispatcher::Claim> claims) {
  watch_pressure();
  for (Dispatcher::Claim& claim : claims) {
    Entry* entry = find(claim.task.agent);
    if (entry && entry->host) {
      entry->host->runner().start(std::move(claim.task));
      continue;
    }
    requeue(claim.task, AgentScheduler::Requeue::not_started, "its agent had no sandbox", [] {});
  }
}

void SupervisorCore::finish(const Task& task, std::shared_ptr<const Outcome> outcome,
                            std::function<void()> committed) {
  writer_->post(
      [this, task, outcome](store::WriteTxn& txn, Dispatcher& dispatcher) -> Status {
        AgentScheduler scheduler(txn, clock_.now(), dispatcher.rules());
        TRY(scheduler.finish(task.sequence, task.attempt_id, *outcome));
        return {};
      },
      [this, task, outcome, committed = std::move(committed)](Status status) {
        if (status) {
          committed();
          return ended_one(task.agent, true);
        }
        // A full disk, most likely. The outcome is safe in init's journal; try again.
        log::error("end of task not stored yet",
                   {{"task", task.id}, {"error", status.error().message}});
        loop_->after(Duration::seconds(1),
                     [this, task, outcome, committed] { finish(task, outcome, committed); });
      });
}

void SupervisorCore::requeue(const Task& task, AgentScheduler::Requeue why,
                             const std::string& detail, std::function<void()> done) {
  writer_->post(
      [this, task, why, detail](store::WriteTxn& txn, Dispatcher& dispatcher) -> Status {
        AgentScheduler scheduler(txn, clock_.now(), dispatcher.rules());
        TRY(scheduler.requeue(task.sequence, task.attempt_id, why, detail));
        return {};
      },
      [this, task, why, detail, done = std::move(done)](Status status) {
        if (status) {
          done();
          return ended_one(task.agent, false);
        }
        log::error("requeue not stored yet",
                   {{"task", task.id}, {"error", status.error().message}});
        loop_->after(Duration::seconds(1),
                     [this, task, why, detail, done] { requeue(task, why, detail, done); });
      });
}

void SupervisorCore::add_usage(const Task& task, const Usage& usage,
                               std::function<void()> committed) {
  writer_->post(
      [this, sequence = task.sequence, attempt = task.attempt_id, usage](store::WriteTxn& txn,
                                                                         Dispatcher&) -> Status {
        TRY(AgentScheduler(txn, clock_.now()).add_usage(sequence, attempt, usage));
        return {};
      },
      [this, task, usage, committed = std::move(committed)](Status status) {
        if (status) return committed();
        log::error("usage not stored yet", {{"task", task.id}, {"error", status.error().message}});
        loop_->after(Duration::seconds(1),
                     [this, task, usage, committed] { add_usage(task, usage, committed); });
      });
}

void SupervisorCore::ended_one(const std::string& agent_id, bool finished) {
  if (going_down_) (finished ? down_.finished : down_.stopped) += 1;
  if (going_down_) check_down();
  // The end of the agent, or of its sandbox, waits for the ends of its tasks.
  Entry* entry = find(agent_id);
  if (entry && (entry->terminating || entry->renewing) && entry->host &&
      entry->host->runner().running() == 0)
    entry->host->shut_down(entry->agent.definition.grace);
}

}  // namespace fabric
