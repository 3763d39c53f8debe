// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {
namespace {

Result<int> show_workspace(const config::Workspace& workspace, const JsonChoice& choice) {
  const UsageList usage = live_usage(workspace);
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  StatusView view;
  view.workspace = workspace.root;
  view.supervisor = TRY(supervisor_status(workspace, txn));
  view.agents = TRY(all_agents(txn, usage));
  view.queue = TRY(txn.counts());
  if (choice.wanted()) {
    TRY_STATUS(print(status_json(choice, view) + "\n"));
    return 0;
  }
  const WallTime now = system_clock().now();
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
  std::string text = facts.to_text();
  if (!view.agents.empty()) text += "\n" + agents_table(view.agents);
  TRY_STATUS(print(text));
  if (view.agents.empty()) note("no agents yet; next: fabric spawn ID -- COMMAND...");
  if (!view.supervisor.running && view.queue.pending > 0)
    note("nothing runs without a supervisor; next: fabric up --detach");
  return 0;
}

Result<int> show_one(const config::Workspace& workspace, const Arguments& arguments) {
  const std::string id = arguments.positional(0);
  const UsageList usage = live_usage(workspace);
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  const WallTime now = system_clock().now();
  if (auto agent = TRY(txn.find_agent(id))) {
    const JsonChoice choice = TRY(JsonChoice::from(arguments, agent_shape()));
    const AgentView view = TRY(view_of(txn, *std::move(agent), usage));
    TRY_STATUS(print(choice.wanted() ? agent_json(choice, view) + "\n" : agent_facts(view, now)));
    return 0;
  }
  const auto task = TRY(txn.find_task(id));
  if (!task)
    return fail(ErrorCode::not_found,
                printable(id) + " not found: no agent and no task has this id",
                "'fabric agents' and 'fabric tasks' list them");
  const JsonChoice choice = TRY(JsonChoice::from(arguments, task_shape()));
  TRY_STATUS(print(choice.wanted() ? task_json(choice, *task) + "\n" : task_facts(*task, now)));
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

const Command k_status_command{"status",
                               Group::workspace,
                               "show the workspace, one agent or one task",
                               "Works without a supervisor. Where an agent and a task have the "
                               "same id, the agent is shown. With "
                               "an ID the JSON is that of fabric-agents(1) or fabric-tasks(1).",
                               k_positionals,
                               {},
                               {},
                               k_examples,
                               status_shape,
                               run};

}  // namespace fabric::cmd
