// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "fabric/views.hpp"
#include "fabric/workspace_view.hpp"

namespace fabric::cmd {
namespace {

std::string workspace_facts(const StatusView& view, WallTime now) {
  Facts facts;
  facts.add("workspace", view.workspace);
  if (view.supervisor.running)
    facts.add("supervisor",
              "running since " + human(view.supervisor.record.since, now) + " (pid " +
                  std::to_string(view.supervisor.record.pid) + ")",
              Colour::green);
  else
    facts.add("supervisor", "stopped", view.queue.pending > 0 ? Colour::yellow : Colour::none);
  facts.add("queue", counts_in_words(view.queue));
  if (view.ready && view.queue.pending > 0) facts.add("ready", ready_in_words(view));
  for (const Pause& pause : view.pauses)
    facts.add("paused", pause_in_words(pause, now), Colour::yellow);
  if (view.supervisor.running && !view.supervisor.record.pressure.empty())
    facts.add("pressure", view.supervisor.record.pressure, Colour::yellow);
  if (view.recurring > 0)
    facts.add("recurring", count_of(view.recurring, "task") + " (fabric tasks --recurring)");
  if (view.dead > 0)
    facts.add("dead", count_of(view.dead, "task") + " (fabric tasks --dead)", Colour::red);
  return facts.to_text();
}

Result<int> show_workspace(const config::Workspace& workspace, const JsonChoice& choice) {
  const LiveUsageList usage = live_usage(workspace);
  const store::Store store = TRY(open_store(workspace));
  const StatusView view = TRY(workspace_view(workspace, TRY(store.read()), usage));
  if (choice.wanted()) {
    TRY_STATUS(print(status_json(choice, view) + "\n"));
    return 0;
  }
  std::string text = workspace_facts(view, system_clock().now());
  if (!view.agents.empty()) text += "\n" + agents_table(view.agents);
  TRY_STATUS(print(text));
  if (view.agents.empty()) note("no agents yet; next: fabric spawn ID -- COMMAND...");
  if (!view.supervisor.running && view.queue.pending > 0)
    note("nothing runs without a supervisor; next: fabric up --detach");
  return 0;
}

Result<int> show_one(const config::Workspace& workspace, const Arguments& arguments) {
  const std::string id = arguments.positional(0);
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  const WallTime now = system_clock().now();
  if (auto agent = TRY(txn.find_agent(id))) {
    const JsonChoice choice = TRY(JsonChoice::from(arguments, agent_shape()));
    const LiveUsageList usage =
        agent->definition.kind == AgentKind::external ? LiveUsageList() : live_usage(workspace);
    const AgentView view = TRY(view_of(txn, *std::move(agent), usage));
    TRY_STATUS(print(choice.wanted() ? agent_json(choice, view) + "\n" : agent_facts(view, now)));
    return 0;
  }
  auto task = TRY(txn.find_task(id));
  if (!task) {
    const auto recurring = TRY(txn.find_recurring(id));
    if (!recurring)
      return fail(ErrorCode::not_found,
                  printable(id) + " not found: no agent and no task has this id",
                  "'fabric agents' and 'fabric tasks' list them");
    const JsonChoice choice = TRY(JsonChoice::from(arguments, recurring_shape()));
    TRY_STATUS(print(choice.wanted() ? recurring_json(choice, *recurring) + "\n"
                                     : recurring_facts(*recurring, now)));
    return 0;
  }
  const JsonChoice choice = TRY(JsonChoice::from(arguments, task_detail_shape()));
  const TaskDetail detail = TRY(detail_of(txn, *std::move(task), now));
  TRY_STATUS(
      print(choice.wanted() ? task_detail_json(choice, detail) + "\n" : task_facts(detail, now)));
  return 0;
}

Result<int> run(const Arguments& arguments) {
  if (!arguments.positionals().empty()) return show_one(TRY(workspace_of(arguments)), arguments);
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  return show_workspace(TRY(workspace_of(arguments)), choice);
}

constexpr Positional k_positionals[] = {{"ID",
                                         "An agent or a task. Default: the whole workspace.",
                                         Complete::agent_or_task,
                                         {},
                                         false}};
constexpr Example k_examples[] = {
    {"fabric status", "Shows the supervisor, the queue and the agents of the workspace."},
    {"fabric status t1 --json=state,exit_code", "Two facts about one task, for a program."}};

}  // namespace

const Command k_status_command{
    "status",
    Group::workspace,
    "show the workspace, one agent or one task",
    "Works without a supervisor. Where an agent and a task have the "
    "same id, the agent is shown. With "
    "an ID the JSON is that of fabric-agents(1) or fabric-tasks(1); that "
    "of a task has its earlier attempts as well (attempts), that of a recurring task is as with "
    "'fabric tasks --recurring'.",
    k_positionals,
    {},
    {},
    k_examples,
    status_shape,
    run};

}  // namespace fabric::cmd
