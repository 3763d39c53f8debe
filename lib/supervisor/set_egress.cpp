// SPDX-License-Identifier: Apache-2.0
#include "supervisor/set_egress.hpp"

#include <algorithm>

#include "base/id.hpp"
#include "isolation/egress_plan.hpp"
#include "model/event.hpp"

namespace fabric::operations {
namespace {

using Rules = std::vector<std::string>;

Result<Rules> rules_of(const json::Value& params, std::string_view key) {
  const json::Value* list = json::find(params, key);
  Rules rules;
  if (!list || !list->IsArray())
    return fail(ErrorCode::usage, "malformed call: '" + std::string(key) + "' must be an array");
  for (const json::Value& rule : list->GetArray()) {
    if (!rule.IsString())
      return fail(ErrorCode::usage, "malformed call: '" + std::string(key) + "' holds strings");
    rules.emplace_back(json::text_of(rule));
  }
  return rules;
}

// Those of `from` that `other` has not.
Rules without(const Rules& from, const Rules& other) {
  Rules rest;
  for (const std::string& rule : from)
    if (std::find(other.begin(), other.end(), rule) == other.end()) rest.push_back(rule);
  return rest;
}

void write(json::Writer& w, std::string_view key, const Rules& rules) {
  w.key(key).begin_array();
  for (const std::string& rule : rules) w.string(rule);
  w.end_array();
}

std::string in_words(const Rules& added, const Rules& removed) {
  std::string text = "egress:";
  for (const std::string& rule : added) text += " +" + rule;
  for (const std::string& rule : removed) text += " -" + rule;
  return added.empty() && removed.empty() ? "egress: another order" : text;
}

bool has_sandbox(const Agent& agent) {
  return agent.state == AgentState::ready || agent.state == AgentState::starting;
}

}  // namespace

Result<std::string> change_egress(const json::Value& params, store::WriteTxn& txn,
                                  Context& context) {
  const std::string id(json::get_string(params, "id").value_or(""));
  TRY_STATUS(check_id(id, "agent id"));
  std::optional<Agent> found = TRY(txn.find_agent(id));
  if (!found)
    return fail(ErrorCode::not_found, "agent " + id + " not found",
                "list agents with: fabric agents");
  Agent& agent = *found;
  AgentDefinition& definition = agent.definition;
  const SandboxOptions before = definition.sandbox;
  definition.sandbox.egress = TRY(rules_of(params, "egress"));
  definition.egress_given = TRY(rules_of(params, "given"));
  TRY_STATUS(check_sandbox_options(definition.sandbox));
  if (definition.kind == AgentKind::external)
    return fail(ErrorCode::usage, "agent " + id + " is external: it has no sandbox");
  if (definition.isolation == IsolationLevel::none && wants_egress(definition.sandbox))
    return fail(ErrorCode::unavailable,
                "agent " + id +
                    " has the host's network (isolation none): rules of "
                    "egress cannot hold there",
                "use isolation level process");
  if (has_sandbox(agent) && !context.supervised)
    return fail(ErrorCode::not_found,
                "no supervisor is running, and agent " + id + " may still live by its old rules",
                "start one with: fabric up --detach");
  const Rules added = without(definition.sandbox.egress, before.egress);
  const Rules removed = without(before.egress, definition.sandbox.egress);
  std::string effect = "none";
  if (definition.sandbox.egress != before.egress) {
    const bool renew =
        has_sandbox(agent) && !wants_egress(before) && wants_egress(definition.sandbox);
    effect = renew ? "new_sandbox" : has_sandbox(agent) ? "now" : "next_start";
    if (renew) context.dispatcher.unavailable(id);
    Event event;
    event.kind = EventKind::agent_changed;
    event.at = context.now;
    event.agent = id;
    event.detail = in_words(added, removed);
    TRY_STATUS(txn.add_event(event));
    context.new_rules.push_back({id, definition.sandbox.egress, definition.egress_given, renew});
  }
  TRY_STATUS(txn.save_agent(agent));
  json::Writer w;
  w.begin_object().field("id", id);
  write(w, "egress", definition.sandbox.egress);
  write(w, "added", added);
  write(w, "removed", removed);
  w.field("effect", effect).end_object();
  return w.take();
}

}  // namespace fabric::operations
