// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/task_options.hpp"
#include "fabric/task_reply.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

constexpr auto k_fields = std::to_array<JsonField<TaskReply>>({
    {"id", "The task's id.", [](json::Writer& w, const TaskReply& v) { w.string(v.id); }},
    {"agent", "The agent it is for now, or null.",
     [](json::Writer& w, const TaskReply& v) { v.agent.empty() ? w.null() : w.string(v.agent); }},
    {"state", "Its state now.", [](json::Writer& w, const TaskReply& v) { w.string(v.state); }},
    {"priority", "Its priority now.",
     [](json::Writer& w, const TaskReply& v) { w.string(v.priority); }},
});
JsonShape requeue_shape() { return shape_of<k_fields>(); }

// What is to change, without the id.
Result<std::string> changes_of(const Arguments& arguments) {
  const auto priority = TRY(parsed(arguments, "--priority", parse_priority));
  const auto agent = arguments.value("--agent");
  const auto payload = arguments.value("--payload");
  if (!priority && !agent && !payload)
    return fail(ErrorCode::usage, "requeue: nothing to change is given",
                "say --priority, --agent or --payload");
  json::Writer w;
  if (priority) w.field("priority", to_string(*priority));
  if (agent) {
    if (agent->empty()) return fail(ErrorCode::usage, "--agent is empty");
    w.field("agent", *agent);
  }
  if (payload) w.field("payload", TRY(read_payload(*payload)));
  return w.take();
}

Status check_pending(const store::ReadTxn& txn, const std::string& id) {
  const Task task = TRY(require_task(txn, id));
  if (task.state == TaskState::pending) return {};
  return fail(ErrorCode::failed, "task " + id + " is " + std::string(to_string(task.state)) +
                                     "; only pending tasks can be changed");
}

Result<int> check_only(const config::Workspace& workspace, const Arguments& arguments) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  if (const auto agent = arguments.value("--agent")) TRY_STATUS(require_agent(txn, *agent));
  FirstError errors;
  for (const std::string& id : arguments.positionals()) {
    const Status good = check_pending(txn, id);
    if (good)
      TRY_STATUS(print("would requeue " + id + "\n"));
    else
      errors.add(good.error());
  }
  return errors.result();
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const std::string changes = TRY(changes_of(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  if (arguments.has(k_dry_run.name)) return check_only(workspace, arguments);
  Client client = TRY(Client::open(workspace));
  FirstError errors;
  for (const std::string& id : arguments.positionals()) {
    json::Writer w;
    w.begin_object().field("id", id);
    const auto answer = client.perform("change", w.take() + "," + changes + "}");
    if (!answer) {
      errors.add(answer.error());
      continue;
    }
    const TaskReply reply = decode_task_reply(*answer);
    TRY_STATUS(
        print((choice.wanted() ? choice.object(k_fields, reply) : "requeued " + reply.id) + "\n"));
  }
  return errors.result();
}

constexpr Positional k_positionals[] = {{"ID", "A pending task.", Complete::task, {}, true, true}};
constexpr Option k_options[] = {
    {"--priority", "", "PRIORITY", "Its new priority.", Takes::value, Complete::nothing,
     "critical|high|normal|low"},
    {"--agent", "", "ID", "The agent that is to run it.", Takes::value, Complete::agent},
    {"--payload", "", "JSON|@FILE|-", "Its new input.", Takes::value, Complete::file},
    k_dry_run};
constexpr Example k_examples[] = {
    {"fabric requeue t1 --priority high", "Lets it run before all that are less urgent."},
    {"fabric requeue t1 t2 --agent spare", "Moves two tasks to another agent."}};

}  // namespace

const Command k_requeue_command{
    "requeue",
    Group::tasks,
    "change pending tasks: priority, agent or payload",
    "A task keeps its place among equals by the order of submission. One that required an agent "
    "(--require) and is moved to another by --agent stays there. Tasks that run or have ended "
    "cannot be changed. When one of several cannot, the others are, and the exit code is that of "
    "the first error. With --json: one object a line.",
    k_positionals,
    k_options,
    {},
    k_examples,
    requeue_shape,
    run};

}  // namespace fabric::cmd
