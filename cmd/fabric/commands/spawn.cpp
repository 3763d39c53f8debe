// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstdlib>

#include "base/id.hpp"
#include "base/size.hpp"
#include "config/settings.hpp"
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/sandbox_flags.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {
namespace {

struct Options {
  std::string id;
  config::AgentFlags flags;
  bool dry_run = false;
};

Result<uint32_t> parse_queue_depth(std::string_view text) {
  uint32_t depth = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), depth);
  if (error != std::errc{} || end != text.data() + text.size() || depth == 0)
    return fail(ErrorCode::usage, "invalid number of tasks '" + printable(text) + "'",
                "write a number from 1");
  return depth;
}

Result<Options> read_options(const Arguments& arguments) {
  Options options;
  options.id = arguments.positional(0);
  TRY_STATUS(check_id(options.id, "agent id"));
  options.dry_run = arguments.has(k_dry_run.name);
  config::AgentFlags& flags = options.flags;
  flags.kind = TRY(parsed(arguments, "--kind", parse_agent_kind));
  flags.model = arguments.value("--model");
  flags.user = arguments.value("--user");
  if (arguments.has("--learn")) flags.learn = true;
  if (arguments.has("--tool")) flags.tools = arguments.values("--tool");
  TRY_STATUS(read_sandbox_flags(arguments, flags));
  flags.pool = arguments.value("--pool");
  flags.max_queue_depth = TRY(parsed(arguments, "--max-queue-depth", parse_queue_depth));
  flags.labels = TRY(parsed_pairs(arguments, "--label"));
  if (arguments.has_tail()) {
    if (arguments.tail().empty()) return fail(ErrorCode::usage, "spawn: no command follows '--'");
    flags.command = arguments.tail();
  }
  return options;
}

Status check_absent(const config::Workspace& workspace, const std::string& id) {
  const store::Store store = TRY(open_store(workspace));
  if (TRY(TRY(store.read()).find_agent(id)))
    return fail(ErrorCode::failed, "spawning " + id + ": an agent with this id already exists",
                "'fabric terminate " + id + "' removes it");
  return {};
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const Options options = TRY(read_options(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const AgentDefinition definition = TRY(config::load_agent(workspace, options.id, options.flags));
  AgentView view;
  if (options.dry_run) {
    TRY_STATUS(check_absent(workspace, options.id));
    view.agent.definition = definition;
  } else {
    if (definition.kind != AgentKind::external) TRY(ensure_supervisor(workspace));
    Client client = TRY(Client::open(workspace));
    view.agent = TRY(client.spawn(definition)).agent;
  }
  if (choice.wanted()) {
    TRY_STATUS(print(agent_json(choice, view) + "\n"));
    return 0;
  }
  const bool external = definition.kind == AgentKind::external;
  const std::string what =
      options.id + " (" + std::string(to_string(definition.kind)) +
      (external ? "" : ", isolation " + std::string(to_string(definition.isolation))) + ")\n";
  TRY_STATUS(print((options.dry_run ? "would spawn " : "spawned ") + what));
  for (const std::string& weaker : view.agent.degraded) note("weaker: " + weaker);
  if (definition.sandbox.learn && !options.dry_run)
    note("it learns, in a wider sandbox than usual; after its tasks: fabric learned " + options.id);
  if (external && !options.dry_run)
    note("it takes a task when it asks for one; next: fabric claim " + options.id + " --wait");
  return 0;
}

constexpr Positional k_positionals[] = {
    {"ID", "Its name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with a dot or a dash."}};
constexpr Option k_identity[] = {
    {"--model", "", "M", "The model it uses, handed to its tasks as FABRIC_MODEL."},
    {"--tool", "", "T", "A tool it may use, handed to its tasks in FABRIC_TOOLS.", Takes::values},
};
constexpr Option k_duties[] = {
    {"--user", "", "U", "Whose agent it is. Default: you."},
    {"--label", "", "KEY=VALUE", "A label.", Takes::values},
    {"--kind", "", "KIND",
     "A process per task (exec), one process that takes task after task (worker), or none: it "
     "claims its tasks with fabric-claim(1) (external). Default: exec.",
     Takes::value, Complete::nothing, "exec|worker|external"},
    {"--pool", "", "POOL", "Agents of one pool share a limit, see scheduler.pools in fabric.toml."},
    {"--learn", "", "",
     "Record what it needs of files, hosts and system calls, see fabric-learned(1). Meanwhile it "
     "sees the host's files, but no known secrets, and reaches all public hosts.",
     Takes::nothing},
    {"--max-queue-depth", "", "N",
     "How many of its tasks may wait; more are refused. Default: 1000."},
    k_dry_run,
};
constexpr auto k_options = with_sandbox_options(k_identity, k_duties);
constexpr Example k_examples[] = {
    {"fabric spawn coder --memory 1G --env API_KEY -- python3 agent.py",
     "An agent with a gigabyte of memory, and your API_KEY in its environment."},
    {"fabric spawn anna --kind external", "A person, who claims tasks: fabric claim anna --wait."}};

}  // namespace

const Command k_spawn_command{
    "spawn",
    Group::agents,
    "start an agent in its own sandbox",
    "The command follows '--', or comes from agents/ID/agent.toml; options win over the file. In "
    "the "
    "command, {payload.KEY} is replaced by that value of a task's payload, without a shell. The "
    "payload is also on its standard input.\n\n"
    "Starts the supervisor in the background when none runs. When the command cannot be found or "
    "started, nothing is left of the agent.\n\n"
    "Of an agent of kind external fabric starts nothing: a person, a terminal or another program "
    "claims its tasks with fabric-claim(1), and says with fabric-complete(1) how they ended. It "
    "has "
    "no command and no sandbox, and needs no supervisor.",
    k_positionals,
    k_options,
    "COMMAND...",
    k_examples,
    agent_shape,
    run};

}  // namespace fabric::cmd
