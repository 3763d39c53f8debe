// SPDX-License-Identifier: Apache-2.0
// The calls of the control protocol.
#include "supervisor/core.hpp"

namespace fabric {

void SupervisorCore::call(const control::Call& c, Responder responder) {
  if (c.method == "schedule") return schedule(c, responder);
  if (c.method == "ping") return responder.result("{}");
  if (c.method == "usage") return usage(responder);
  if (c.method == "down") return go_down(responder);
  if (going_down_)
    return responder.error({ErrorCode::failed, "the supervisor is going down", "try again"});
  if (c.method == "spawn") {
    Result<AgentDefinition> definition = control::decode_definition(c.params());
    if (!definition) return responder.error(definition.error());
    return spawn(*definition, responder);
  }
  if (c.method == "cancel" || c.method == "terminate") {
    Result<std::string> id = control::decode_id(c.params());
    if (!id) return responder.error(id.error());
    return c.method == "cancel" ? cancel(*id, responder) : terminate(*id, responder);
  }
  responder.error({ErrorCode::usage, "unknown method '" + c.method.substr(0, 64) + "'",
                   "is this fabric older or newer than its supervisor? see: fabric status"});
}

void SupervisorCore::schedule(const control::Call& c, Responder responder) {
  Result<Submission> submission = control::decode_submission(c.params());
  if (!submission) return responder.error(submission.error());
  // Parsed here, so that the store thread commits the previous batch meanwhile.
  Result<std::vector<Task>> tasks = operations::parse(*submission);
  if (!tasks) return responder.error(tasks.error());
  auto moved = std::make_shared<std::vector<Task>>(std::move(*tasks));
  auto reply = std::make_shared<SubmitReply>();
  writer_->post(
      [this, moved, reply](store::WriteTxn& txn, Dispatcher& dispatcher) -> Status {
        std::vector<std::string> touched;
        *reply = TRY(operations::submit(txn, std::move(*moved), clock_.now(), &touched));
        for (const std::string& agent : touched) dispatcher.mark(agent);
        return {};
      },
      [reply, responder](Status status) {
        if (!status) return responder.error(status.error());
        responder.result(control::encode(*reply));
      });
}

void SupervisorCore::cancel(const std::string& id, Responder responder) {
  auto done = std::make_shared<operations::CancelDone>();
  writer_->post(
      [this, id, done](store::WriteTxn& txn, Dispatcher&) -> Status {
        *done = TRY(operations::cancel(txn, id, clock_.now()));
        return {};
      },
      [this, done, responder](Status status) {
        if (!status) return responder.error(status.error());
        Entry* entry = find(done->task.agent);
        if (done->reply.was == TaskState::running && entry && entry->host)
          entry->host->stop(done->task.attempt_id);
        responder.result(control::encode(done->reply));
      });
}

void SupervisorCore::usage(Responder responder) {
  struct Known {
    std::string id;
    SandboxIdentity identity;
    WallTime heartbeat_at;
  };
  std::vector<Known> known;
  for (const auto& [id, entry] : agents_)
    if (entry.host) known.push_back({id, entry.host->identity(), entry.heartbeat_at});
  launcher_->post([known = std::move(known), responder](IsolationManager& manager) {
    json::Writer w;
    w.begin_object();
    for (const Known& agent : known) {
      Result<ResourceUsage> usage = manager.get_resource_usage(agent.identity);
      if (!usage) continue;
      w.key(agent.id).begin_object().field("memory_bytes", usage->memory_bytes);
      w.field("cpu_seconds", usage->cpu.to_seconds()).field("pids", usage->pids);
      w.field("heartbeat_at_us", agent.heartbeat_at.us).end_object();
    }
    w.end_object();
    return std::function<void()>([responder, text = w.take()] { responder.result(text); });
  });
}

}  // namespace fabric
