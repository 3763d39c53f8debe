// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

struct Terminated {
  std::string id;
  TerminateReply reply;
};

constexpr auto k_fields = std::to_array<JsonField<Terminated>>({
    {"id", "The agent's id.", [](json::Writer& w, const Terminated& v) { w.string(v.id); }},
    {"cancelled", "Pending tasks that will never run.",
     [](json::Writer& w, const Terminated& v) {
       w.integer(static_cast<int64_t>(v.reply.cancelled));
     }},
    {"stopped", "Running tasks that were ended.",
     [](json::Writer& w, const Terminated& v) {
       w.integer(static_cast<int64_t>(v.reply.stopped));
     }},
});
JsonShape terminate_shape() { return shape_of<k_fields>(); }

Result<TerminateReply> foresee(const config::Workspace& workspace, const std::string& id) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  const TaskCounts counts = TRY(txn.counts(TRY(require_agent(txn, id)).number));
  return TerminateReply{counts.pending, counts.running};
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const bool dry_run = arguments.has(k_dry_run.name);
  Terminated result;
  result.id = arguments.positional(0);
  const config::Workspace workspace = TRY(workspace_of(arguments));
  if (dry_run) {
    result.reply = TRY(foresee(workspace, result.id));
  } else {
    Client client = TRY(Client::open(workspace));
    result.reply = TRY(client.terminate(result.id));
  }
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, result) + "\n"));
    return 0;
  }
  std::string text = (dry_run ? "would terminate " : "terminated ") + result.id;
  if (result.reply.cancelled + result.reply.stopped > 0)
    text += " (" + count_of(result.reply.cancelled, "pending task") + " cancelled, " +
            std::to_string(result.reply.stopped) + " running stopped)";
  TRY_STATUS(print(text + "\n"));
  return 0;
}

constexpr Positional k_positionals[] = {{"ID", "The agent.", Complete::agent}};
constexpr Option k_options[] = {k_dry_run};
constexpr Example k_examples[] = {
    {"fabric terminate coder", "Ends the agent, its running tasks and its pending ones."},
    {"fabric terminate coder --dry-run", "Says what that would end."}};

}  // namespace

const Command k_terminate_command{
    "terminate",
    Group::agents,
    "end an agent and everything of it",
    "Running tasks are stopped, pending ones cancelled, and its sandbox is removed. Returns when "
    "nothing of it is left. Its finished tasks and their results stay.",
    k_positionals,
    k_options,
    {},
    k_examples,
    terminate_shape,
    run};

}  // namespace fabric::cmd
