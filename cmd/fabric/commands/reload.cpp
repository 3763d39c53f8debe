// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "config/settings.hpp"
#include "fabric/commands.hpp"
#include "fabric/json_write.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric::cmd {
namespace {

using Rules = std::vector<std::string>;

struct Reloaded {
  std::string id;
  Rules egress, added, removed;
  std::string effect;
};

constexpr auto k_fields = std::to_array<JsonField<Reloaded>>({
    {"id", "The agent's id.", [](json::Writer& w, const Reloaded& v) { w.string(v.id); }},
    {"egress", "Its rules of egress now.",
     [](json::Writer& w, const Reloaded& v) { write_list(w, v.egress); }},
    {"added", "Those it did not have before.",
     [](json::Writer& w, const Reloaded& v) { write_list(w, v.added); }},
    {"removed", "Those it has no more.",
     [](json::Writer& w, const Reloaded& v) { write_list(w, v.removed); }},
    {"effect",
     "Since when they hold: now; new_sandbox (the agent had no way out at all, and gets a sandbox "
     "with one when nothing runs in the old one); next_start (it has no sandbox); none (nothing "
     "changed).",
     [](json::Writer& w, const Reloaded& v) { w.string(v.effect); }},
});
JsonShape reload_shape() { return shape_of<k_fields>(); }

struct Change {
  Rules add, drop;
};

bool has(const Rules& rules, const std::string& rule) {
  return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

Rules without(const Rules& from, const Rules& other) {
  Rules rest;
  std::copy_if(from.begin(), from.end(), std::back_inserter(rest),
               [&](const std::string& rule) { return !has(other, rule); });
  return rest;
}

Result<Rules> rules_given(const AgentDefinition& now, const Rules& files, const Change& change) {
  Rules given = now.egress_given;
  for (const std::string& rule : change.drop) {
    if (!has(given, rule))
      return fail(ErrorCode::usage,
                  "agent " + now.id + " was not given the rule '" + printable(rule) + "'",
                  has(files, rule) ? "it is in a file: take it out there, then: fabric reload"
                                   : "see its rules: fabric agents --json=id,egress");
    std::erase(given, rule);
  }
  for (const std::string& rule : change.add)
    if (!has(given, rule)) given.push_back(rule);
  return given;
}

struct Plan {
  Reloaded change;
  Rules given;
};

Result<Plan> plan_for(const config::Workspace& workspace, const AgentDefinition& now,
                      const Change& change) {
  const Rules files = TRY(config::load_egress(workspace, now.id));
  Plan plan;
  plan.given = TRY(rules_given(now, files, change));
  Rules all = files;
  all.insert(all.end(), plan.given.begin(), plan.given.end());
  plan.change = {now.id, all, without(all, now.sandbox.egress), without(now.sandbox.egress, all),
                 "none"};
  return plan;
}

Status apply(Client& client, Plan& plan) {
  json::Writer params;
  params.begin_object().field("id", plan.change.id).key("egress");
  write_list(params, plan.change.egress);
  params.key("given");
  write_list(params, plan.given);
  params.end_object();
  const json::Document answer = TRY(client.perform("set_egress", params.text()));
  plan.change.effect = json::get_string(answer, "effect").value_or("none");
  return {};
}

Result<std::vector<AgentDefinition>> chosen_agents(const config::Workspace& workspace,
                                                   const std::vector<std::string>& ids) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  std::vector<AgentDefinition> chosen;
  for (const std::string& id : ids) chosen.push_back(TRY(require_agent(txn, id)).definition);
  if (!ids.empty()) return chosen;
  for (const Agent& agent : TRY(txn.list_agents()))
    if (agent.definition.kind != AgentKind::external) chosen.push_back(agent.definition);
  return chosen;
}

std::string in_words(const Reloaded& done, bool dry_run) {
  if (done.added.empty() && done.removed.empty()) return done.id + ": nothing changed\n";
  std::string text = done.id + (dry_run ? ": would be egress" : ": egress");
  for (const std::string& rule : done.added) text += " +" + printable(rule);
  for (const std::string& rule : done.removed) text += " -" + printable(rule);
  if (done.effect == "new_sandbox")
    text += "; holds in a new sandbox, when nothing runs in this one";
  if (done.effect == "next_start") text += "; holds when it starts";
  return text + "\n";
}

// Routes are made with a sandbox.
void warn_of_addresses(const Reloaded& done) {
  if (done.effect != "now") return;
  for (const std::string& text : done.added)
    if (const auto rule = parse_egress_rule(text);
        rule && !rule->refuse &&
        (rule->kind == EgressRule::Kind::network || rule->kind == EgressRule::Kind::everything)) {
      note(done.id + ": addresses of '" + printable(text) +
           "' are reached through the proxies (127.0.0.1:3128, :1080) until its sandbox is made "
           "anew; names at once");
      return;
    }
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const bool dry_run = arguments.has(k_dry_run.name);
  const Change change{arguments.values("--egress"), arguments.values("--drop-egress")};
  for (const std::string& rule : change.add) TRY(parse_egress_rule(rule));
  const bool all = arguments.positionals().empty();
  if (all && !(change.add.empty() && change.drop.empty()))
    return fail(ErrorCode::usage, "reload: --egress and --drop-egress need an agent",
                "write it in front: fabric reload AGENT --egress RULE");
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const auto agents = TRY(chosen_agents(workspace, arguments.positionals()));
  // All of them are read before one is changed: a file with a mistake changes nothing.
  std::vector<Plan> plans;
  for (const AgentDefinition& agent : agents)
    plans.push_back(TRY(plan_for(workspace, agent, change)));
  std::optional<Client> client;
  if (!dry_run) client = TRY(Client::open(workspace));
  std::vector<std::string> elements;
  for (Plan& plan : plans) {
    if (client) TRY_STATUS(apply(*client, plan));
    if (choice.wanted()) {
      elements.push_back(choice.object(k_fields, plan.change));
      continue;
    }
    TRY_STATUS(print(in_words(plan.change, dry_run)));
    warn_of_addresses(plan.change);
  }
  if (choice.wanted()) TRY_STATUS(print(json_array(elements)));
  if (agents.empty() && !choice.wanted())
    note("no agents yet; next: fabric spawn ID -- COMMAND...");
  return 0;
}

constexpr Positional k_positionals[] = {
    {"AGENT", "The agents. Default: all.", Complete::agent, {}, false, true}};
constexpr Option k_options[] = {
    {"--egress", "", "RULE", "Let it connect there too: as --egress of spawn.", Takes::values},
    {"--drop-egress", "", "RULE", "Take back a rule that --egress gave.", Takes::values},
    k_dry_run,
};
constexpr Example k_examples[] = {
    {"fabric reload", "Applies changed isolation.egress lists to the agents that they are about."},
    {"fabric reload coder --egress pypi.org", "Lets a running agent reach one more host."}};

}  // namespace

const Command k_reload_command{
    "reload",
    Group::agents,
    "change where agents may connect to, while they run",
    "Reads fabric.toml and agents/ID/agent.toml again and brings their isolation.egress into "
    "force, "
    "with the rules that --egress gave to the agent. Connections that no rule allows any more end "
    "at once; hosts that are new can be reached at once. Tasks run on. What changed is an event of "
    "kind agent.changed.\n\n"
    "An agent that had no rules at all has a sandbox without a network, and gets a new one when "
    "its "
    "running tasks have ended. Rules that name addresses work through the proxies at first, see "
    "docs/network.md. Everything else in the files is for the next spawn.",
    k_positionals,
    k_options,
    {},
    k_examples,
    reload_shape,
    run};

}  // namespace fabric::cmd
