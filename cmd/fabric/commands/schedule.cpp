// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/patient_client.hpp"
#include "fabric/recurring_task.hpp"
#include "fabric/schedule_source.hpp"
#include "fabric/session.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/waiting.hpp"
#include "supervisor/operations.hpp"

namespace fabric::cmd {
namespace {

using Kind = ScheduleSource::Kind;

struct Item {
  SubmitReply::Item task;
  bool recurring = false;
  WallTime next_run;
};

constexpr auto k_fields = std::to_array<JsonField<Item>>({
    {"id", "The task's id.", [](json::Writer& w, const Item& v) { w.string(v.task.id); }},
    {"agent", "The agent it is for; null when it is for whichever has what it requires.",
     [](json::Writer& w, const Item& v) {
       v.task.agent.empty() ? w.null() : w.string(v.task.agent);
     }},
    {"state", "Its state now; null for a recurring task.",
     [](json::Writer& w, const Item& v) {
       v.recurring ? w.null() : w.string(to_string(v.task.state));
     }},
    {"existed", "true when the same task had been scheduled before.",
     [](json::Writer& w, const Item& v) { w.boolean(v.task.existed); }},
    {"next_run", "When a recurring task runs next; else null.",
     [](json::Writer& w, const Item& v) {
       v.next_run.set() ? w.string(to_rfc3339(v.next_run)) : w.null();
     }},
});
JsonShape schedule_shape() { return shape_of<k_fields>(); }

struct Options {
  ScheduleSource source;
  Duration patience;  // with a full queue; 0: none
  bool wait = false;
  [[nodiscard]] bool in_group() const {
    return source.kind == Kind::array || source.kind == Kind::dag;
  }
  [[nodiscard]] size_t most_lines() const {
    return patience.ns > 0 ? k_small_slice_lines : k_slice_lines;
  }
};

Result<Options> read_options(const Arguments& arguments) {
  Options options;
  options.source = TRY(schedule_source(arguments));
  options.wait = arguments.has("--wait");
  options.patience =
      TRY(parsed(arguments, "--wait-for-space", parse_duration)).value_or(Duration{});
  return options;
}

// Ids, or with --json objects. Of an array or a DAG the group is enough.
Status print_items(const JsonChoice& choice, const Options& options,
                   const std::vector<SubmitReply::Item>& items) {
  if (options.in_group() && !choice.wanted()) return {};
  std::string text;
  for (const SubmitReply::Item& item : items)
    text += (choice.wanted() ? choice.object(k_fields, Item{item, false, {}}) : item.id) + "\n";
  return print(text);
}

// What was submitted, over all slices.
struct Total {
  std::vector<std::string> ids;
  size_t existed = 0;
  bool supervised = false;
};

std::string how_to_go_on(const Total& total, const Options& options) {
  const std::string before = count_of(total.ids.size(), "task") + " before it are scheduled; ";
  if (options.in_group())
    return before + "the same command with --group " + options.source.group + " adds the rest";
  return before + "sending the whole file again is safe for lines with an id";
}

Result<Total> submit_all(const config::Workspace& workspace, const Arguments& arguments,
                         const Options& options, const JsonChoice& choice) {
  PatientClient client = TRY(PatientClient::open(workspace, options.patience));
  Total total;
  total.supervised = client.supervised();
  Progress progress;
  const auto submit = [&](const Submission& slice) -> Status {
    const SubmitReply reply = TRY(client.schedule(slice));
    TRY_STATUS(print_items(choice, options, reply.items));
    for (const SubmitReply::Item& item : reply.items) {
      total.ids.push_back(item.id);
      if (item.existed) ++total.existed;
    }
    if (options.source.kind != Kind::one)
      progress.show(count_of(total.ids.size(), "task") + " scheduled");
    return {};
  };
  Status submitted = for_each_submission(arguments, options.source, options.most_lines(), submit);
  if (!submitted && !total.ids.empty()) submitted.error().hint = how_to_go_on(total, options);
  TRY_STATUS(submitted);
  return total;
}

void tell_unsupervised() {
  note("queued, but no supervisor runs, so nothing runs yet; next: fabric up --detach");
}

void tell(const Total& total, const Options& options) {
  if (options.source.kind != Kind::one)
    note(count_of(total.ids.size(), "task") + " scheduled" +
         (total.existed > 0 ? ", " + std::to_string(total.existed) + " of them before" : ""));
  else if (total.existed > 0)
    note("the same task was scheduled before; it is not run again");
  if (!total.supervised && !total.ids.empty() && !options.wait) tell_unsupervised();
}

Result<int> schedule_recurring(const config::Workspace& workspace, const Arguments& arguments,
                               const Options& options, const JsonChoice& choice) {
  const Recurring recurring =
      TRY(recurring_task(arguments, options.source.agent, options.source.from));
  const AddedRecurring added = TRY(add_recurring(workspace, recurring));
  Item item;
  item.recurring = true;
  item.task.id = added.id;
  item.task.agent = options.source.agent;
  item.next_run = added.next_run;
  TRY_STATUS(print((choice.wanted() ? choice.object(k_fields, item) : added.id) + "\n"));
  if (added.next_run.set())
    note("the next run is at " + human(added.next_run, system_clock().now()));
  if (!added.supervised) tell_unsupervised();
  return 0;
}

// Everything that can be known without queueing: the lines are well-formed and their agents exist.
Result<int> check_only(const config::Workspace& workspace, const Arguments& arguments,
                       const Options& options) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  size_t tasks = 0;
  const auto check = [&](const Submission& slice) -> Status {
    for (const Task& task : TRY(operations::parse(slice))) {
      if (task.require.empty()) TRY_STATUS(require_agent(txn, task.agent));
      ++tasks;
    }
    return {};
  };
  if (options.source.kind == Kind::recurring) {
    const Recurring recurring =
        TRY(recurring_task(arguments, options.source.agent, options.source.from));
    TRY_STATUS(check(submission_of(recurring.line)));
  } else {
    TRY_STATUS(for_each_submission(arguments, options.source, options.most_lines(), check));
  }
  TRY_STATUS(print("would schedule " + count_of(tasks, "task") + "\n"));
  return 0;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const Options options = TRY(read_options(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  if (arguments.has(k_dry_run.name)) return check_only(workspace, arguments, options);
  if (options.source.kind == Kind::recurring)
    return schedule_recurring(workspace, arguments, options, choice);
  const Total total = TRY(submit_all(workspace, arguments, options, choice));
  if (options.in_group() && !choice.wanted()) TRY_STATUS(print(options.source.group + "\n"));
  tell(total, options);
  if (!options.wait) return 0;

  const store::Store store = TRY(open_store(workspace));
  WaitOptions waiting;
  waiting.ids = total.ids;
  return TRY(wait_for_tasks(workspace, store, waiting)).exit_code;
}

constexpr Positional k_positionals[] = {
    {"AGENT", "The agent that is to run it.", Complete::agent, {}, false}};
constexpr Option k_submit_options[] = {
    {"--wait-for-space", "", "DURATION",
     "When a queue is full, wait up to this long for space in it before giving up (exit code 6)."},
    {"--wait", "", "", "Return when all have ended, with the exit code of fabric-wait(1).",
     Takes::nothing},
    k_dry_run};
constexpr auto k_options = [] {
  constexpr size_t k_count = std::size(k_task_options) + std::size(k_start_options) +
                             std::size(k_source_options) + std::size(k_submit_options);
  std::array<Option, k_count> options{};
  auto* end = std::copy(std::begin(k_task_options), std::end(k_task_options), options.data());
  end = std::copy(std::begin(k_start_options), std::end(k_start_options), end);
  end = std::copy(std::begin(k_source_options), std::end(k_source_options), end);
  std::copy(std::begin(k_submit_options), std::end(k_submit_options), end);
  return options;
}();
constexpr Example k_examples[] = {
    {"fabric schedule reviewer --after t1,t2 --retries 3 --backoff exp:1s:5m",
     "Starts when both have completed, and is tried four times at most."},
    {"fabric schedule --batch tasks.ndjson", "As many tasks as the file has lines."}};

}  // namespace

const Command k_schedule_command{
    "schedule",
    Group::tasks,
    "queue tasks for agents",
    "Prints the id of each task once it is on disk. Without a supervisor it queues as well, and "
    "says that nothing runs yet. An id that is known already is the same task when it says the "
    "same, and an error otherwise; --at, --delay and --deadline are turned into points in time, "
    "so the same --delay said later is not the same.\n\n"
    "A line of a batch has the fields agent or require, id or idempotency_key, type, payload, "
    "priority, depends_on (ids), after (success, finish or any), timeout_seconds, "
    "no_progress_timeout_seconds, queue_ttl_seconds, deadline and start_at (RFC 3339), retries, "
    "backoff, retry_on, slots, share, exclusive, group and metadata. A batch is written in "
    "transactions of at most 10,000 lines or 8 MiB (100 lines with --wait-for-space): each is "
    "there whole or not at all. A line that cannot be scheduled is named by its number, and "
    "nothing of its transaction or of a later one is there. Tasks may depend on earlier lines and "
    "on each other within one transaction. With --json: one object a line.\n\n"
    "An array prints the id of its group, which is that of --group or --id or a new one; its tasks "
    "have the ids GROUP.N. A payload string that is {item} and nothing else becomes the item as "
    "JSON where it is JSON; within a longer string, and in metadata, it is inserted as text. It is "
    "written in transactions as a batch is.\n\n"
    "A DAG is a file of [[task]] tables (TOML), or {\"tasks\": [...]} (JSON), with the fields of a "
    "batch line and name. A name is local to the file: the task's id is GROUP.NAME unless it has "
    "an "
    "id; depends_on lists names (after is the policy), and {tasks.NAME.result.KEY} in a payload is "
    "replaced by the result of a task that it depends on. It is there whole or not at all, and "
    "prints the id of its group.\n\n"
    "With --every it prints an id, which fabric-cancel(1) takes to remove it; each run is a task "
    "with the id ID.TIME. fabric-tasks(1) lists recurring tasks with --recurring.\n\n"
    "A queue takes as many pending tasks as its agent's max_queue_depth says, tasks that wait for "
    "others included. Beyond, the exit code is 6; with --wait-for-space each transaction waits "
    "for space first.",
    k_positionals,
    k_options,
    {},
    k_examples,
    schedule_shape,
    run};

}  // namespace fabric::cmd
