// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/task_reply.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

constexpr auto k_fields = std::to_array<JsonField<TaskReply>>({
    {"id", "The new task's id.", [](json::Writer& w, const TaskReply& v) { w.string(v.id); }},
    {"retry_of", "The task that it repeats.",
     [](json::Writer& w, const TaskReply& v) { w.string(v.retry_of); }},
    {"agent", "The agent it is for, or null.",
     [](json::Writer& w, const TaskReply& v) { v.agent.empty() ? w.null() : w.string(v.agent); }},
    {"state", "Its state now.", [](json::Writer& w, const TaskReply& v) { w.string(v.state); }},
});
JsonShape retry_shape() { return shape_of<k_fields>(); }

// In the order of submission: what others wait for comes before them.
Result<std::vector<std::string>> dead_ids(const config::Workspace& workspace) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  std::vector<std::string> ids;
  for (uint64_t sequence : TRY(txn.dead_tasks()))
    if (const auto task = TRY(txn.find_task(sequence))) ids.push_back(task->id);
  return ids;
}

Result<int> check_only(const config::Workspace& workspace, const std::vector<std::string>& ids) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  FirstError errors;
  for (const std::string& id : ids) {
    const auto task = require_task(txn, id);
    if (!task)
      errors.add(task.error());
    else if (!is_terminal(task->state) || task->state == TaskState::completed)
      errors.add({ErrorCode::failed, "task " + id + " is " + std::string(to_string(task->state)),
                  "only what failed, timed out or was cancelled can be retried"});
    else if (!task->retried_as.empty())
      errors.add({ErrorCode::failed, "task " + id + " was retried as " + task->retried_as, {}});
    else
      TRY_STATUS(print("would retry " + id + "\n"));
  }
  return errors.result();
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const bool dead = arguments.has("--dead");
  if (dead == !arguments.positionals().empty())
    return fail(ErrorCode::usage,
                dead ? "retry: ids and --dead exclude each other" : "retry: ID is missing",
                "'fabric tasks --dead' lists what may need it");
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const std::vector<std::string> ids = dead ? TRY(dead_ids(workspace)) : arguments.positionals();
  if (arguments.has(k_dry_run.name)) return check_only(workspace, ids);
  if (ids.empty()) note("the dead-letter list is empty");
  Client client = TRY(Client::open(workspace));
  FirstError errors;
  for (const std::string& id : ids) {
    json::Writer w;
    w.begin_object().field("id", id).end_object();
    const auto answer = client.perform("retry", w.take());
    if (!answer) {
      errors.add(answer.error());
      continue;
    }
    TaskReply reply = decode_task_reply(*answer);
    reply.retry_of = id;
    TRY_STATUS(print((choice.wanted() ? choice.object(k_fields, reply) : reply.id) + "\n"));
  }
  return errors.result();
}

constexpr Positional k_positionals[] = {
    {"ID", "A task that failed, timed out or was cancelled.", Complete::task, {}, false, true}};
constexpr Option k_options[] = {{"--dead", "", "", "All of the dead-letter list.", Takes::nothing},
                                k_dry_run};
constexpr Example k_examples[] = {
    {"fabric retry t1", "Schedules the same work again, as a new task, and prints its id."},
    {"fabric retry --dead", "The same for everything that ended badly with no retry left."}};

}  // namespace

const Command k_retry_command{
    "retry",
    Group::tasks,
    "repeat tasks that ended badly",
    "Makes a new task with the same content, which names the old one (retry_of), and prints its "
    "id. The old one stays what it is, and leaves the dead-letter list. What it depended on is "
    "replaced by the tasks that repeated that; so retry first what failed first. Each task can be "
    "repeated once; then repeat its repetition. When one of several cannot be, the others are, "
    "and the exit code is that of the first error. With --json: one object a line.",
    k_positionals,
    k_options,
    {},
    k_examples,
    retry_shape,
    run};

}  // namespace fabric::cmd
