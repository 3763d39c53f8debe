// SPDX-License-Identifier: Apache-2.0
#include "supervisor/explain.hpp"

#include "config/settings.hpp"
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "supervisor/operations.hpp"

namespace fabric::cmd {
namespace {

constexpr auto k_fields = std::to_array<JsonField<Explanation>>({
    {"id", "The task's id.", [](json::Writer& w, const Explanation& v) { w.string(v.task.id); }},
    {"agent", "Its agent, or null while none was chosen.",
     [](json::Writer& w, const Explanation& v) {
       v.task.agent.empty() ? w.null() : w.string(v.task.agent);
     }},
    {"state", "Its state.",
     [](json::Writer& w, const Explanation& v) { w.string(to_string(v.task.state)); }},
    {"reasons", "Why it is so, the most important first: an array of objects with kind and text.",
     [](json::Writer& w, const Explanation& v) {
       w.begin_array();
       for (const Explanation::Reason& reason : v.reasons)
         w.begin_object().field("kind", reason.kind).field("text", reason.text).end_object();
       w.end_array();
     }},
    {"next", "What to type next, or null.",
     [](json::Writer& w, const Explanation& v) { v.next.empty() ? w.null() : w.string(v.next); }},
});
JsonShape explain_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const DispatchRules rules = operations::rules_of(TRY(config::load_settings(workspace)));
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  const bool supervised = TRY(supervisor_status(workspace, txn)).running;
  const Explanation explanation =
      TRY(explain(txn, rules, arguments.positional(0), supervised, system_clock()));
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, explanation) + "\n"));
    return 0;
  }
  std::string text = printable(explanation.task.id) + " is " +
                     std::string(to_string(explanation.task.state)) + "\n";
  for (const Explanation::Reason& reason : explanation.reasons)
    text += "  " + printable(reason.text) + "\n";
  if (!explanation.next.empty()) text += "next: " + printable(explanation.next) + "\n";
  TRY_STATUS(print(text));
  return 0;
}

constexpr Positional k_positionals[] = {{"ID", "A task.", Complete::task}};
constexpr Example k_examples[] = {
    {"fabric explain t1", "Says why t1 does not run yet, and what to do about it."},
    {"fabric explain t1 --json | jq -r '.reasons[0].kind'", "The first reason, for a program."}};

}  // namespace

const Command k_explain_command{
    "explain",
    Group::tasks,
    "say why a task waits, or where it went",
    "Of a pending task: every reason why it does not run now, the most important first. Of a "
    "running "
    "one: where, since when, and its limits. Of one that has ended: why, and its attempts.\n\n"
    "Kinds of reasons: no_supervisor, dependency, not_before, retry, exclusive, paused, require, "
    "no_agent, pressure, agent_slots, pool_slots, workspace_slots, label_slots, turn, share, "
    "level; "
    "running, limit, stopping; completed, failed, cancelled, timed_out, dependency, attempt, "
    "retried.",
    k_positionals,
    {},
    {},
    k_examples,
    explain_shape,
    run};

}  // namespace fabric::cmd
