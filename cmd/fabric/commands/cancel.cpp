// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

struct Cancelled {
  std::string id;
  CancelReply reply;
};

constexpr auto k_fields = std::to_array<JsonField<Cancelled>>({
    {"id", "The task's id.", [](json::Writer& w, const Cancelled& v) { w.string(v.id); }},
    {"was", "Its state before: pending (it is cancelled now) or running (its stop has begun).",
     [](json::Writer& w, const Cancelled& v) { w.string(to_string(v.reply.was)); }},
    {"also_cancelled", "Ids of the tasks that waited for it and will never run.",
     [](json::Writer& w, const Cancelled& v) {
       w.begin_array();
       for (const std::string& id : v.reply.also_cancelled) w.string(id);
       w.end_array();
     }},
});
JsonShape cancel_shape() { return shape_of<k_fields>(); }

Result<CancelReply> foresee(const config::Workspace& workspace, const std::string& id) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  const Task task = TRY(require_task(txn, id));
  if (is_terminal(task.state))
    return fail(ErrorCode::failed,
                "cancelling " + id + ": it is " + std::string(to_string(task.state)) + " already");
  CancelReply reply{task.state, {}};
  std::vector<uint64_t> open = TRY(txn.dependents(task.sequence));
  for (size_t i = 0; i < open.size(); ++i) {
    if (const auto dependent = TRY(txn.find_task(open[i])))
      reply.also_cancelled.push_back(dependent->id);
    for (uint64_t next : TRY(txn.dependents(open[i]))) open.push_back(next);
  }
  return reply;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const bool dry_run = arguments.has(k_dry_run.name);
  Cancelled result;
  result.id = arguments.positional(0);
  const config::Workspace workspace = TRY(workspace_of(arguments));
  if (dry_run) {
    result.reply = TRY(foresee(workspace, result.id));
  } else {
    Client client = TRY(Client::open(workspace));
    result.reply = TRY(client.cancel(result.id));
  }
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, result) + "\n"));
    return 0;
  }
  const bool running = result.reply.was == TaskState::running;
  std::string text = dry_run ? "would cancel " : running ? "cancelling " : "cancelled ";
  text += result.id;
  if (running) text += dry_run ? ", which is running" : ": its processes are being stopped";
  if (!result.reply.also_cancelled.empty())
    text +=
        " (and " + count_of(result.reply.also_cancelled.size(), "task") + " that waited for it)";
  TRY_STATUS(print(text + "\n"));
  return 0;
}

constexpr Positional k_positionals[] = {{"ID", "The task.", Complete::task}};
constexpr Option k_options[] = {k_dry_run};
constexpr Example k_examples[] = {
    {"fabric cancel t1", "Cancels a pending task, or stops a running one."},
    {"fabric cancel t1 && fabric wait t1", "The same, and waits until its processes are gone."}};

}  // namespace

const Command k_cancel_command{
    "cancel",
    Group::tasks,
    "cancel a task",
    "A pending task never runs. The processes of a running one are asked to stop, and killed when "
    "they do not; it ends as cancelled. Tasks that wait for it are cancelled too.",
    k_positionals,
    k_options,
    {},
    k_examples,
    cancel_shape,
    run};

}  // namespace fabric::cmd
