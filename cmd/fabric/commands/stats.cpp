// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/stats_view.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/wakeups.hpp"

namespace fabric::cmd {
namespace {

constexpr Duration k_between = Duration::seconds(2);

class Stats {
 public:
  Stats(config::Workspace workspace, std::string only, JsonChoice choice)
      : workspace_(std::move(workspace)), only_(std::move(only)), choice_(std::move(choice)) {}

  Result<int> once() {
    TRY_STATUS(look());
    if (choice_.wanted()) {
      std::vector<std::string> elements;
      for (const StatsView& view : now_) elements.push_back(stats_json(choice_, view));
      TRY_STATUS(print(json_array(elements)));
    } else if (now_.empty()) {
      note("no agent has a sandbox; next: fabric spawn ID -- COMMAND...");
    } else {
      TRY_STATUS(print(stats_table(now_, nullptr, terminal_width())));
    }
    return 0;
  }

  // Until it is interrupted, or nobody reads any more.
  Result<int> follow() {
    Wakeups wakeups = TRY(Wakeups::open(TRY(open_store(workspace_)), {}));
    for (bool first = true;; first = false) {
      const MonoTime due = system_clock().monotonic() + k_between;
      std::vector<StatsView> before = std::move(now_);
      TRY_STATUS(look());
      std::string text;
      if (choice_.wanted())
        for (const StatsView& view : now_) text += stats_json(choice_, view) + "\n";
      else
        text = (first ? "" : "\n") + stats_table(now_, &before, terminal_width());
      TRY_STATUS(print(text));
      for (MonoTime now = system_clock().monotonic(); now < due; now = system_clock().monotonic()) {
        const Wake wake = TRY(wakeups.wait(due - now));
        if (wake.output_gone) return fail(ErrorCode::failed, "", std::string(k_broken_pipe));
      }
    }
  }

 private:
  Status look() {
    LiveUsageList usage;
    {
      Client client = TRY(Client::open(workspace_));
      if (!client.supervised())
        return fail(ErrorCode::not_found, "no supervisor is running, so no agent uses anything",
                    "start one with: fabric up --detach");
      usage = TRY(client.usage());
    }
    const store::Store store = TRY(open_store(workspace_));
    const store::ReadTxn txn = TRY(store.read());
    if (!only_.empty()) {
      const Agent agent = TRY(require_agent(txn, only_));
      if (agent.definition.kind == AgentKind::external)
        return fail(ErrorCode::not_found,
                    "agent " + printable(only_) + " is external: fabric does not see what it uses");
    }
    now_ = TRY(gather_stats(txn, usage, only_, system_clock().now()));
    if (!only_.empty() && now_.empty())
      return fail(ErrorCode::not_found,
                  "agent " + printable(only_) + " has no sandbox whose use can be told",
                  "see: fabric status " + printable(only_));
    return {};
  }

  const config::Workspace workspace_;
  const std::string only_;
  const JsonChoice choice_;
  std::vector<StatsView> now_;
};

Result<int> run(const Arguments& arguments) {
  JsonChoice choice = TRY(JsonChoice::from(arguments));
  Stats stats(TRY(workspace_of(arguments)), arguments.positional(0), std::move(choice));
  return arguments.has("--follow") ? stats.follow() : stats.once();
}

constexpr Positional k_positionals[] = {
    {"AGENT", "Only this one. Default: all that have a sandbox.", Complete::agent, {}, false}};
constexpr Option k_options[] = {
    {"--follow", "-f", "", "Again every two seconds, until it is interrupted.", Takes::nothing}};
constexpr Example k_examples[] = {
    {"fabric stats", "What each agent uses now, and each task that it runs."},
    {"fabric stats coder --follow --json=at,memory_bytes,cpu_seconds",
     "The use of one agent over time, for a program."}};

}  // namespace

const Command k_stats_command{
    "stats",
    Group::agents,
    "show what agents and their tasks use now",
    "One agent a line, with its limits, and under it the tasks that it runs. CPU is processor "
    "time, "
    "WAITED the time that its processors stood still because of the cpu limit, REFUSED the "
    "processes that the pids limit did not let it start, DISK what its work directory held when it "
    "was last measured (only where it has a limit). WAITED and REFUSED of a task are those of its "
    "whole agent while the task runs. RECEIVED and SENT are bytes through the agent's own network, "
    "its loopback included.\n\n"
    "With --json: an array of objects; with --follow too: one object a line, for each agent at "
    "each "
    "look. Needs a supervisor. What tasks used that have ended is in fabric-tasks(1).",
    k_positionals,
    k_options,
    {},
    k_examples,
    stats_shape,
    run};

}  // namespace fabric::cmd
