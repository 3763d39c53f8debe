// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {
namespace {

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const LiveUsageList usage = live_usage(workspace);
  const store::Store store = TRY(open_store(workspace));
  const std::vector<AgentView> agents = TRY(all_agents(TRY(store.read()), usage));
  if (choice.wanted()) {
    std::vector<std::string> elements;
    for (const AgentView& view : agents) elements.push_back(agent_json(choice, view));
    TRY_STATUS(print(json_array(elements)));
    return 0;
  }
  if (agents.empty())
    note("no agents yet; next: fabric spawn ID -- COMMAND...");
  else
    TRY_STATUS(print(agents_table(agents)));
  return 0;
}

constexpr Example k_examples[] = {
    {"fabric agents", "Lists the agents of the workspace."},
    {"fabric agents --json=id,state | jq -r '.[].id'", "Their ids, for a script."}};

}  // namespace

const Command k_agents_command{"agents",
                               Group::agents,
                               "list agents",
                               "One agent a line, by id. With --json: an array of objects.",
                               {},
                               {},
                               {},
                               k_examples,
                               agent_shape,
                               run};

}  // namespace fabric::cmd
