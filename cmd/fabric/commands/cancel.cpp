// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/task_filter.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

struct Cancelled {
  std::string id;
  CancelReply reply;
  bool recurring = false;
};

constexpr auto k_fields = std::to_array<JsonField<Cancelled>>({
    {"id", "The task's id.", [](json::Writer& w, const Cancelled& v) { w.string(v.id); }},
    {"was",
     "Its state before: pending (it is cancelled now) or running (its stop has begun); null for a "
     "recurring task, which is removed.",
     [](json::Writer& w, const Cancelled& v) {
       v.recurring ? w.null() : w.string(to_string(v.reply.was));
     }},
    {"also_cancelled", "Ids of the tasks that waited for it and will never run.",
     [](json::Writer& w, const Cancelled& v) {
       w.begin_array();
       for (const std::string& id : v.reply.also_cancelled) w.string(id);
       w.end_array();
     }},
});
JsonShape cancel_shape() { return shape_of<k_fields>(); }

// Those that end with the task: what waits for its success, and for theirs.
Result<CancelReply> foresee(const store::ReadTxn& txn, const std::string& id) {
  const Task task = TRY(require_task(txn, id));
  if (is_terminal(task.state))
    return fail(ErrorCode::failed,
                "task " + id + " is already " + std::string(to_string(task.state)));
  CancelReply reply{task.state, {}};
  std::vector<uint64_t> open = TRY(txn.dependents(task.sequence));
  for (size_t i = 0; i < open.size(); ++i) {
    const auto dependent = TRY(txn.find_task(open[i]));
    // Others may still be released by something else.
    if (!dependent || dependent->after != AfterPolicy::success) continue;
    reply.also_cancelled.push_back(dependent->id);
    for (uint64_t next : TRY(txn.dependents(open[i]))) open.push_back(next);
  }
  return reply;
}

std::string in_words(const Cancelled& cancelled, bool dry_run) {
  if (cancelled.recurring)
    return (dry_run ? "would remove recurring task " : "removed recurring task ") + cancelled.id;
  const bool running = cancelled.reply.was == TaskState::running;
  std::string text = dry_run ? "would cancel " : running ? "cancelling " : "cancelled ";
  text += cancelled.id;
  if (running) text += dry_run ? ", which is running" : ": its processes are being stopped";
  if (const size_t also = cancelled.reply.also_cancelled.size(); also > 0)
    text += " (and " + count_of(also, "task") + " that waited for it)";
  return text;
}

Status show(const JsonChoice& choice, const Cancelled& cancelled, bool dry_run) {
  return print(
      (choice.wanted() ? choice.object(k_fields, cancelled) : in_words(cancelled, dry_run)) + "\n");
}

// Whether it is a recurring task, and, for a dry run, what its cancelling would do.
Result<Cancelled> look(const store::ReadTxn& txn, const std::string& id, bool dry_run) {
  Cancelled cancelled{id, {}, false};
  if (!TRY(txn.find_task(id))) cancelled.recurring = TRY(txn.find_recurring(id)).has_value();
  if (dry_run && !cancelled.recurring) cancelled.reply = TRY(foresee(txn, id));
  return cancelled;
}

Result<int> cancel_named(const config::Workspace& workspace, const Arguments& arguments,
                         const JsonChoice& choice, bool dry_run) {
  FirstError errors;
  std::vector<Cancelled> wanted;
  {
    const store::Store store = TRY(open_store(workspace));
    const store::ReadTxn txn = TRY(store.read());
    for (const std::string& id : arguments.positionals()) {
      auto looked = look(txn, id, dry_run);
      looked ? wanted.push_back(*std::move(looked)) : errors.add(looked.error());
    }
  }
  std::optional<Client> client;
  if (!dry_run) client = TRY(Client::open(workspace));
  for (Cancelled& one : wanted) {
    if (client) {
      auto reply = client->cancel(one.id);
      if (!reply) {
        errors.add(reply.error());
        continue;
      }
      one.reply = *std::move(reply);
    }
    TRY_STATUS(show(choice, one, dry_run));
  }
  return errors.result();
}

std::string encode(TaskState state, const store::TaskFilter& filter, bool dry_run) {
  json::Writer w;
  w.begin_object().field("state", to_string(state)).field("before", filter.before);
  w.field("agent", filter.agent).field("type", filter.type).field("group", filter.group);
  w.key("metadata").begin_object();
  for (const auto& [key, value] : filter.metadata) w.field(key, value);
  w.end_object().field("dry_run", dry_run).end_object();
  return w.take();
}

Result<Cancelled> decode(const json::Value& task) {
  Cancelled cancelled;
  cancelled.id = json::get_string(task, "id").value_or("");
  cancelled.reply.was = TRY(parse_task_state(json::get_string(task, "was").value_or("")));
  if (const json::Value* also = json::find(task, "also_cancelled"); also && also->IsArray())
    for (const json::Value& id : also->GetArray())
      if (id.IsString()) cancelled.reply.also_cancelled.emplace_back(json::text_of(id));
  return cancelled;
}

// Page by page: the supervisor serves others in between, and a million tasks need no memory.
struct Tally {
  size_t tasks = 0, running = 0;
};
Status cancel_in_state(Client& client, TaskState state, store::TaskFilter filter,
                       const JsonChoice& choice, bool dry_run, Tally& tally) {
  do {
    const json::Document answer =
        TRY(client.perform("cancel_matching", encode(state, filter, dry_run)));
    const json::Value* tasks = json::find(answer, "tasks");
    if (tasks && tasks->IsArray())
      for (const json::Value& task : tasks->GetArray()) {
        const Cancelled cancelled = TRY(decode(task));
        tally.tasks += 1 + cancelled.reply.also_cancelled.size();
        if (state == TaskState::running) ++tally.running;
        TRY_STATUS(show(choice, cancelled, dry_run));
      }
    const int64_t next = json::get_int(answer, "next").value_or(0);
    filter.before = next > 0 ? static_cast<uint64_t>(next) : 0;
  } while (filter.before != 0);
  return {};
}

Result<int> cancel_matching(const config::Workspace& workspace, const Arguments& arguments,
                            const JsonChoice& choice, bool dry_run) {
  const store::TaskFilter filter = TRY(task_filter(arguments));
  Client client = TRY(Client::open(workspace));
  Tally tally;
  for (const TaskState state : {TaskState::pending, TaskState::running})
    if (!filter.state || *filter.state == state)
      TRY_STATUS(cancel_in_state(client, state, filter, choice, dry_run, tally));
  note(count_of(tally.tasks, "task") + (dry_run ? " would be cancelled" : " cancelled") +
       (tally.running > 0 ? ", " + std::to_string(tally.running) + " of them running" : ""));
  return 0;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const bool dry_run = arguments.has(k_dry_run.name);
  const bool filtered = has_task_filter(arguments);
  if (filtered == !arguments.positionals().empty())
    return fail(ErrorCode::usage,
                filtered ? "cancel: ids and --state, --agent, --type, --group, --metadata exclude "
                           "each other"
                         : "cancel: ID is missing",
                "name tasks, or say which: fabric cancel --agent ID --state pending");
  const config::Workspace workspace = TRY(workspace_of(arguments));
  return filtered ? cancel_matching(workspace, arguments, choice, dry_run)
                  : cancel_named(workspace, arguments, choice, dry_run);
}

constexpr Positional k_positionals[] = {
    {"ID", "A task, or a recurring task.", Complete::task, {}, false, true}};
constexpr Option k_options[] = {{"--state", "", "STATE", "Only tasks in this state.", Takes::value,
                                 Complete::nothing, "pending|running"},
                                k_filter_agent,
                                k_filter_type,
                                k_filter_group,
                                k_filter_metadata,
                                k_dry_run};
constexpr Example k_examples[] = {
    {"fabric cancel t1 && fabric wait t1",
     "Cancels a pending task, or stops a running one, and waits until its processes are gone."},
    {"fabric cancel --agent coder --state pending --dry-run",
     "Shows what would be cancelled; without --dry-run it is."}};

}  // namespace

const Command k_cancel_command{
    "cancel",
    Group::tasks,
    "cancel tasks",
    "A pending task never runs. The processes of a running one are asked to stop, and killed when "
    "they do not; it ends as cancelled. Tasks that wait for its success are cancelled too. A "
    "recurring task is removed; runs of it that are scheduled already stay.\n\n"
    "With options instead of ids: all that match and have not ended, in one transaction. When one "
    "of several ids cannot be cancelled, the others are, and the exit code is that of the first "
    "error. With --json: one object a line.",
    k_positionals,
    k_options,
    {},
    k_examples,
    cancel_shape,
    run};

}  // namespace fabric::cmd
