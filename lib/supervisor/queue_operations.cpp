// SPDX-License-Identifier: Apache-2.0
// The calls that change the queue in one transaction: decode, decide, encode
// (docs/control-protocol.md lists parameters and results). Input is hostile.
#include <algorithm>
#include <array>

#include "base/id.hpp"
#include "lifecycle/lifecycle_manager.hpp"
#include "scheduler/agent_scheduler.hpp"
#include "supervisor/control_protocol.hpp"
#include "supervisor/operations.hpp"
#include "supervisor/set_egress.hpp"

namespace fabric::operations {
namespace {

using json::Value;
using json::Writer;

tl::unexpected<Error> malformed(const std::string& what) {
  return fail(ErrorCode::usage, "malformed call: " + what,
              "is this fabric older or newer than its supervisor? see: fabric status");
}

// What is absent has its default. What is there and of another type is refused: a filter that was
// not understood would match every task, and an error that is no text would be a success.
Result<std::optional<std::string>> optional_text(const Value& params, std::string_view key) {
  const Value* member = json::find(params, key);
  if (!member) return std::optional<std::string>();
  if (!member->IsString()) return malformed("'" + std::string(key) + "' must be a string");
  return std::optional<std::string>(json::text_of(*member));
}

Result<std::string> text_of(const Value& params, std::string_view key) {
  return TRY(optional_text(params, key)).value_or("");
}

Result<std::string> id_of(const Value& params, std::string_view key = "id") {
  std::string id = TRY(text_of(params, key));
  TRY_STATUS(check_id(id, key));
  return id;
}

Result<uint64_t> number_of(const Value& params, std::string_view key, uint64_t otherwise = 0) {
  const Value* member = json::find(params, key);
  if (!member) return otherwise;
  if (!member->IsInt64() || member->GetInt64() < 0)
    return malformed("'" + std::string(key) + "' must be an integer, not negative");
  return static_cast<uint64_t>(member->GetInt64());
}

Result<bool> flag_of(const Value& params, std::string_view key) {
  const Value* member = json::find(params, key);
  if (member && !member->IsBool()) return malformed("'" + std::string(key) + "' must be a boolean");
  return member && member->GetBool();
}

Result<Duration> seconds_of(const Value& params, std::string_view key) {
  const double seconds = json::get_number(params, key).value_or(0);
  if (!(seconds > 0) || seconds > 1e9) return malformed("'" + std::string(key) + "' out of range");
  return Duration{static_cast<int64_t>(seconds * 1e9)};
}

std::string task_reply(const Task& task) {
  Writer w;
  w.begin_object().field("id", task.id).field("agent", task.agent);
  w.field("state", to_string(task.state)).field("reason", to_string(task.reason));
  w.field("detail", task.detail).field("attempt", task.attempt);
  w.field("priority", to_string(task.priority)).end_object();
  return w.take();
}

struct Call {
  const Value& params;
  store::WriteTxn& txn;
  Context& context;
  [[nodiscard]] AgentScheduler scheduler() const {
    return {txn, context.now, context.dispatcher.rules()};
  }
};

Result<std::string> cancel(const Call& call) {
  const std::string id = TRY(id_of(call.params));
  CancelReply reply;
  AgentScheduler scheduler = call.scheduler();
  if (!TRY(call.txn.find_task(id)) && TRY(scheduler.remove_recurring(id))) {
    call.context.dispatcher.recurring_changed();
    return control::encode(reply);
  }
  AgentScheduler::Cancelled cancelled = TRY(scheduler.cancel(id));
  reply.was = cancelled.was;
  reply.also_cancelled = std::move(cancelled.dependents);
  if (cancelled.task.state == TaskState::running)
    call.context.to_stop.push_back(std::move(cancelled.task));
  return control::encode(reply);
}

Result<store::TaskFilter> filter_of(const Value& params) {
  store::TaskFilter filter;
  if (const std::string state = TRY(text_of(params, "state")); !state.empty())
    filter.state = TRY(parse_task_state(state));
  filter.agent = TRY(text_of(params, "agent"));
  filter.type = TRY(text_of(params, "type"));
  filter.group = TRY(text_of(params, "group"));
  const Value* metadata = json::find(params, "metadata");
  if (metadata && !metadata->IsObject()) return malformed("'metadata' must be an object");
  if (metadata)
    for (const auto& member : metadata->GetObject()) {
      if (!member.value.IsString()) return malformed("'metadata' must hold strings");
      filter.metadata.emplace_back(json::text_of(member.name), json::text_of(member.value));
    }
  filter.before = TRY(number_of(params, "before"));
  return filter;
}

// A page of them: other requests get their turn between two.
Result<std::string> cancel_matching(const Call& call) {
  store::TaskFilter filter = TRY(filter_of(call.params));
  filter.limit = 1000;
  if (filter.state != TaskState::pending && filter.state != TaskState::running)
    return malformed("'state' must be pending or running");
  const bool dry_run = TRY(flag_of(call.params, "dry_run"));
  Writer w;
  w.begin_object().key("tasks").begin_array();
  std::vector<AgentScheduler::Cancelled> page =
      TRY(call.scheduler().cancel_matching(filter, dry_run));
  // Not the size of the page: some of those that were found may have gone with others of it.
  const uint64_t next = page.empty() ? 0 : page.back().task.sequence;
  for (AgentScheduler::Cancelled& c : page) {
    w.begin_object().field("id", c.task.id).field("was", to_string(c.was));
    w.key("also_cancelled").begin_array();
    for (const std::string& id : c.dependents) w.string(id);
    w.end_array().end_object();
    if (c.task.state == TaskState::running && !dry_run)
      call.context.to_stop.push_back(std::move(c.task));
  }
  w.end_array();
  if (next != 0) w.field("next", next);
  w.end_object();
  return w.take();
}

Result<Agent> external_agent(const Call& call, const std::string& id) {
  const std::optional<Agent> agent = TRY(call.txn.find_agent(id));
  if (!agent)
    return fail(ErrorCode::not_found, "agent " + id + " not found",
                "list agents with: fabric agents");
  if (agent->definition.kind != AgentKind::external)
    return fail(ErrorCode::failed,
                "agent " + id + " takes its tasks from fabric: its kind is " +
                    std::string(to_string(agent->definition.kind)),
                "only agents of kind external claim by hand");
  return *agent;
}

// {"agent", "lease_seconds"} -> the task with its payload, or {} when none is ready
Result<std::string> claim(const Call& call) {
  const Agent agent = TRY(external_agent(call, TRY(id_of(call.params, "agent"))));
  const Duration lease = TRY(seconds_of(call.params, "lease_seconds"));
  const std::optional<Task> task = TRY(call.context.dispatcher.claim_for(call.txn, agent, lease));
  if (!task) return std::string("{}");
  Writer w;
  w.begin_object().field("id", task->id).field("agent", task->agent).field("type", task->type);
  w.field("lease", task->attempt_id).field("attempt", task->attempt);
  w.field("lease_until", to_rfc3339(task->lease_until))
      .field("priority", to_string(task->priority));
  w.field("correlation_id", task->correlation_id).field("traceparent", task->traceparent);
  w.key("metadata").begin_object();
  for (const auto& [key, value] : task->metadata) w.field(key, value);
  // Text: the payload's own spelling of numbers survives the way.
  w.end_object().field("payload", task->payload).end_object();
  return w.take();
}

Result<std::string> extend(const Call& call) {
  const Task task =
      TRY(call.scheduler().extend(TRY(id_of(call.params)), TRY(number_of(call.params, "lease")),
                                  TRY(seconds_of(call.params, "seconds"))));
  Writer w;
  w.begin_object().field("id", task.id).field("lease_until", to_rfc3339(task.lease_until));
  w.end_object();
  return w.take();
}

// {"id", "lease", "result" | "error"}
Result<std::string> complete(const Call& call) {
  Outcome outcome;
  if (const auto error = TRY(optional_text(call.params, "error"))) {
    outcome.state = TaskState::failed;
    outcome.reason = Reason::error;
    outcome.detail = error->substr(0, 4096);
    const uint64_t exit_code = TRY(number_of(call.params, "exit_code", 1));
    if (exit_code < 1 || exit_code > 255) return malformed("'exit_code' must be 1 to 255");
    outcome.exit_code = static_cast<int>(exit_code);
  } else {
    outcome.result.head = TRY(text_of(call.params, "result"));
    outcome.result_bytes = outcome.result.head.size();
    if (outcome.result.head.size() > k_result_head)
      return fail(ErrorCode::usage,
                  "the result is larger than " + std::to_string(k_result_head >> 10) + " KiB",
                  "put it into a file and give its name as the result");
  }
  const AgentScheduler::Completion done = TRY(call.scheduler().complete(
      TRY(id_of(call.params)), TRY(number_of(call.params, "lease")), outcome));
  Writer w;
  w.begin_object().field("id", done.task.id).field("state", to_string(done.task.state));
  w.field("late", done.late).end_object();
  return w.take();
}

Result<std::string> release(const Call& call) {
  return task_reply(
      TRY(call.scheduler().release(TRY(id_of(call.params)), TRY(number_of(call.params, "lease")))));
}

Result<std::string> change(const Call& call) {
  AgentScheduler::Change change;
  if (const std::string priority = TRY(text_of(call.params, "priority")); !priority.empty())
    change.priority = TRY(parse_priority(priority));
  if (!TRY(text_of(call.params, "agent")).empty()) change.agent = TRY(id_of(call.params, "agent"));
  change.payload = TRY(optional_text(call.params, "payload"));
  return task_reply(TRY(call.scheduler().change(TRY(id_of(call.params)), change)));
}

Result<std::string> retry(const Call& call) {
  return task_reply(TRY(call.scheduler().retry(TRY(id_of(call.params)))));
}

Result<Pause> pause_of(const Value& params) {
  Pause pause;
  const std::string kind = TRY(text_of(params, "kind"));
  bool known = false;
  for (PauseKind k :
       {PauseKind::workspace, PauseKind::priority, PauseKind::agent, PauseKind::share})
    if (to_string(k) == kind) {
      pause.kind = k;
      known = true;
    }
  if (!known) return malformed("unknown kind of pause");
  pause.name = TRY(text_of(params, "name"));
  pause.user = TRY(text_of(params, "user"));
  if (pause.kind == PauseKind::agent) TRY_STATUS(check_id(pause.name, "agent id"));
  if (pause.name.size() > k_max_key) return malformed("'name' is too long");
  return pause;
}

std::string changed(const Call& call, bool changed) {
  if (changed) call.context.dispatcher.pauses_changed();
  Writer w;
  w.begin_object().field("changed", changed).end_object();
  return w.take();
}

Result<std::string> pause(const Call& call) {
  return changed(call, TRY(call.scheduler().pause(TRY(pause_of(call.params)))));
}

Result<std::string> resume(const Call& call) {
  return changed(call, TRY(call.scheduler().resume(TRY(pause_of(call.params)))));
}

Result<std::string> add_recurring(const Call& call) {
  Recurring recurring;
  recurring.id = TRY(id_of(call.params));
  recurring.every = TRY(text_of(call.params, "every"));
  recurring.timezone = TRY(text_of(call.params, "timezone"));
  recurring.missed = TRY(parse_missed_runs(TRY(text_of(call.params, "missed"))));
  recurring.line = TRY(text_of(call.params, "line"));
  recurring.user = TRY(text_of(call.params, "user"));
  recurring.correlation_id = TRY(text_of(call.params, "correlation_id"));
  const std::string id = recurring.id;
  TRY_STATUS(call.scheduler().add_recurring(std::move(recurring)));
  call.context.dispatcher.recurring_changed();
  const std::optional<Recurring> added = TRY(call.txn.find_recurring(id));
  Writer w;
  w.begin_object().field("id", id).field("due", to_rfc3339(added ? added->due : WallTime{}));
  w.end_object();
  return w.take();
}

Result<std::string> spawn_external(const Call& call) {
  AgentDefinition definition = TRY(control::decode_definition(&call.params));
  if (definition.kind != AgentKind::external) return malformed("not of kind external");
  LifecycleManager lifecycle(call.txn, call.context.now);
  const Agent agent = TRY(lifecycle.spawn_external(definition));
  call.context.dispatcher.available(agent);
  return control::encode_id(agent.definition.id);
}

// {"limit", "tasks", "age_ns", "events"} -> {"tasks", "events", "logs", "more"}: one step of
// retention by the caller's rules: he may have read newer files than the supervisor
Result<std::string> collect(const Call& call) {
  const uint64_t limit = std::clamp<uint64_t>(TRY(number_of(call.params, "limit")), 1, 10000);
  RetentionRules rules;
  rules.tasks = TRY(number_of(call.params, "tasks"));
  rules.age.ns = static_cast<int64_t>(TRY(number_of(call.params, "age_ns")));
  rules.events = TRY(number_of(call.params, "events"));
  const Collected collected =
      TRY(collect_garbage(call.txn, rules, call.context.now, static_cast<size_t>(limit)));
  Writer w;
  w.begin_object().field("tasks", collected.tasks.size()).field("events", collected.events);
  w.field("more", collected.more).key("logs").begin_array();
  for (const Collected::Logs& log : collected.logs) {
    w.begin_object().field("agent", log.agent).field("task", log.task);
    w.field("attempt", log.attempt).end_object();
  }
  w.end_array().end_object();
  return w.take();
}

Result<std::string> set_egress(const Call& call) {
  return change_egress(call.params, call.txn, call.context);
}

struct Method {
  std::string_view name;
  Result<std::string> (*perform)(const Call& call);
};
constexpr std::array<Method, 14> k_methods{{{"cancel", cancel},
                                            {"cancel_matching", cancel_matching},
                                            {"claim", claim},
                                            {"extend", extend},
                                            {"complete", complete},
                                            {"release", release},
                                            {"change", change},
                                            {"retry", retry},
                                            {"pause", pause},
                                            {"resume", resume},
                                            {"add_recurring", add_recurring},
                                            {"collect", collect},
                                            {"spawn_external", spawn_external},
                                            {"set_egress", set_egress}}};

}  // namespace

bool is_known(std::string_view method) {
  for (const Method& known : k_methods)
    if (known.name == method) return true;
  return false;
}

Result<std::string> perform(std::string_view method, const Value* params, store::WriteTxn& txn,
                            Context& context) {
  if (!params || !params->IsObject()) return malformed("no params");
  for (const Method& known : k_methods)
    if (known.name == method) return known.perform({*params, txn, context});
  return malformed("unknown method");
}

}  // namespace fabric::operations
