// SPDX-License-Identifier: Apache-2.0
// The calls of the control protocol.
#include "supervisor/core.hpp"

namespace fabric {

void SupervisorCore::call(const control::Call& c, Responder responder) {
  if (c.method == "schedule") return schedule(c, responder);
  if (c.method == "ping") return responder.result("{}");
  if (c.method == "usage") return usage(responder);
  if (c.method == "down") return go_down(responder);
  if (operations::is_known(c.method)) return perform(c, responder);
  if (going_down_)
    return responder.error({ErrorCode::failed, "the supervisor is going down", "try again"});
  if (c.method == "spawn") {
    Result<AgentDefinition> definition = control::decode_definition(c.params());
    if (!definition) return responder.error(definition.error());
    return spawn(*definition, responder);
  }
  if (c.method == "terminate") {
    Result<std::string> id = control::decode_id(c.params());
    if (!id) return responder.error(id.error());
    return terminate(*id, responder);
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
        *reply = TRY(operations::submit(txn, std::move(*moved), clock_.now(), dispatcher.rules()));
        return {};
      },
      [reply, responder](Status status) {
        if (!status) return responder.error(status.error());
        responder.result(control::encode(*reply));
      });
}

// A call that is one transaction.
void SupervisorCore::perform(const control::Call& c, Responder responder) {
  struct Performed {
    std::string method, answer;
    json::Document params;
    std::vector<Task> to_stop;
    std::vector<operations::Context::NewRules> new_rules;
  };
  auto call = std::make_shared<Performed>();
  call->method = c.method;
  if (const json::Value* params = c.params())
    call->params.CopyFrom(*params, call->params.GetAllocator());
  writer_->post(
      [this, call](store::WriteTxn& txn, Dispatcher& dispatcher) -> Status {
        operations::Context context{clock_.now(), dispatcher, {}, true};
        call->answer = TRY(operations::perform(call->method, &call->params, txn, context));
        call->to_stop = std::move(context.to_stop);
        call->new_rules = std::move(context.new_rules);
        return {};
      },
      [this, call, responder](Status status) {
        if (!status) return responder.error(status.error());
        for (const Task& task : call->to_stop) {
          Entry* entry = find(task.agent);
          if (entry && entry->host) entry->host->stop(task.attempt_id);
        }
        for (const auto& rules : call->new_rules) egress_changed(rules);
        responder.result(call->answer);
        if (call->method == "claim" && !responder.heard()) give_back(call->answer);
      });
}

// Who claimed it went away before the answer came, and knows nothing of it: it need not wait until
// its lease is over.
void SupervisorCore::give_back(const std::string& claimed) {
  Result<json::Document> task = json::parse(claimed);
  const auto id = task ? json::get_string(*task, "id") : std::nullopt;
  const auto lease = task ? json::get_int(*task, "lease") : std::nullopt;
  if (!id || !lease) return;  // none was ready
  writer_->post(
      [this, id = std::string(*id), lease = *lease](store::WriteTxn& txn, Dispatcher&) -> Status {
        AgentScheduler scheduler(txn, clock_.now());
        const Task given = TRY(scheduler.get_status(id));
        TRY(scheduler.requeue(given.sequence, static_cast<AttemptId>(lease),
                              AgentScheduler::Requeue::interrupted,
                              "its claimer went away before it was told"));
        return {};
      },
      {});
}

}  // namespace fabric
