// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/id.hpp"
#include "base/timezone.hpp"
#include "fabric/array.hpp"
#include "fabric/commands.hpp"
#include "fabric/dag.hpp"
#include "fabric/dag_file.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/patient_client.hpp"
#include "fabric/session.hpp"
#include "fabric/submission.hpp"
#include "fabric/task_options.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/waiting.hpp"
#include "scheduler/cron.hpp"
#include "supervisor/operations.hpp"

namespace fabric::cmd {
namespace {

using Item = SubmitReply::Item;

constexpr auto k_fields = std::to_array<JsonField<Item>>({
    {"id", "The task's id.", [](json::Writer& w, const Item& v) { w.string(v.id); }},
    {"agent", "The agent it is for; null when it is for whichever has what it requires.",
     [](json::Writer& w, const Item& v) { v.agent.empty() ? w.null() : w.string(v.agent); }},
    {"state", "Its state now.",
     [](json::Writer& w, const Item& v) { w.string(to_string(v.state)); }},
    {"existed", "true when the same task had been scheduled before.",
     [](json::Writer& w, const Item& v) { w.boolean(v.existed); }},
});
JsonShape schedule_shape() { return shape_of<k_fields>(); }

struct Options {
  std::string agent;
  std::optional<std::string> batch, dag, array;
  std::string group;  // of a DAG or an array
  Duration patience;  // with a full queue; 0: none
  bool wait = false;
};

// Each says what is to be scheduled.
Status check_sources(const Arguments& arguments) {
  std::string_view chosen;
  for (std::string_view source : {"--batch", "--dag", "--array", "--every"}) {
    if (!arguments.has(source)) continue;
    if (!chosen.empty())
      return fail(ErrorCode::usage, "schedule: " + std::string(chosen) + " and " +
                                        std::string(source) + " exclude each other");
    chosen = source;
  }
  for (std::string_view option : {"--timezone", "--missed"})
    if (arguments.has(option) && chosen != "--every")
      return fail(ErrorCode::usage, "schedule: " + std::string(option) + " goes with --every");
  return {};
}

// What means one task or one moment, where there will be many.
Status refuse_singular_options(const Arguments& arguments) {
  const auto refuse = [&](std::string_view source,
                          std::initializer_list<std::string_view> options) -> Status {
    for (std::string_view option : options)
      if (arguments.has(source) && arguments.has(option))
        return fail(ErrorCode::usage,
                    "schedule: " + std::string(option) + " and " + std::string(source) +
                        " exclude each other",
                    "it means one task, and there will be many");
    return {};
  };
  TRY_STATUS(refuse("--array", {"--idempotency-key"}));
  TRY_STATUS(refuse("--every", {"--idempotency-key", "--at", "--delay", "--deadline", "--wait",
                                "--wait-for-space"}));
  if (arguments.has("--array") && arguments.has("--id") && arguments.has("--group"))
    return fail(ErrorCode::usage, "schedule: with --array, --id and --group exclude each other",
                "the ids of the tasks are made from the group");
  return {};
}

// What says it for one task has no place where each task says it itself.
Status refuse_task_options(const Arguments& arguments, std::string_view source) {
  const auto refuse = [&](std::span<const Option> options) -> Status {
    for (const Option& option : options)
      // The group of a DAG is that of all its tasks.
      if (arguments.has(option.name) && !(source == "--dag" && option.name == "--group"))
        return fail(ErrorCode::usage,
                    "schedule: " + std::string(option.name) + " and " + std::string(source) +
                        " exclude each other",
                    "there each task says it for itself");
    return {};
  };
  TRY_STATUS(refuse(k_task_options));
  TRY_STATUS(refuse(k_start_options));
  if (!arguments.positionals().empty())
    return fail(ErrorCode::usage,
                "schedule: AGENT and " + std::string(source) + " exclude each other",
                "there each task names its agent");
  return {};
}

Result<Options> read_options(const Arguments& arguments) {
  Options options;
  options.agent = arguments.positional(0);
  options.batch = arguments.value("--batch");
  options.wait = arguments.has("--wait");
  options.patience =
      TRY(parsed(arguments, "--wait-for-space", parse_duration)).value_or(Duration{});
  options.dag = arguments.value("--dag");
  options.array = arguments.value("--array");
  TRY_STATUS(check_sources(arguments));
  TRY_STATUS(refuse_singular_options(arguments));
  if (options.batch)
    TRY_STATUS(refuse_task_options(arguments, "--batch"));
  else if (options.dag)
    TRY_STATUS(refuse_task_options(arguments, "--dag"));
  else
    TRY_STATUS(check_target(arguments, options.agent));
  if (options.dag || options.array) {
    options.group = arguments.value("--group").value_or(arguments.value("--id").value_or(""));
    if (options.group.empty()) options.group = (options.dag ? "dag-" : "array-") + random_hex(4);
    TRY_STATUS(check_id(options.group, "group id"));
  }
  return options;
}

// One transaction, or nothing.
Status submit_dag(const Options& options, const Submit& submit) {
  const std::vector<DagEntry> entries = TRY(read_dag_file(*options.dag));
  Submission submission = new_submission();
  for (const std::string& line : TRY(dag_lines(*options.dag, entries, options.group)))
    submission.lines += line + "\n";
  return submit(submission);
}

// The tasks, a transaction at a time.
Status for_each_submission(const Arguments& arguments, const Options& options,
                           const Submit& submit) {
  const size_t lines = options.patience.ns > 0 ? k_small_slice_lines : k_slice_lines;
  if (options.batch) return for_each_slice(*options.batch, lines, submit);
  if (options.dag) return submit_dag(options, submit);
  if (options.array) {
    const std::string line =
        TRY(task_line(arguments, options.agent, system_clock().now(), Naming::by_others));
    return for_each_array_slice({*options.array, line, options.group}, lines, submit);
  }
  return submit(submission_of(TRY(task_line(arguments, options.agent, system_clock().now()))));
}

Status print_items(const JsonChoice& choice, const std::vector<Item>& items) {
  std::string text;
  for (const Item& item : items)
    text += choice.wanted() ? choice.object(k_fields, item) + "\n" : item.id + "\n";
  return print(text);
}

// What was submitted, over all slices.
struct Total {
  std::vector<std::string> ids;
  size_t existed = 0;
  bool supervised = false;
};

Result<Total> submit_all(const config::Workspace& workspace, const Arguments& arguments,
                         const Options& options, const JsonChoice& choice) {
  PatientClient client = TRY(PatientClient::open(workspace, options.patience));
  Total total;
  total.supervised = client.supervised();
  Progress progress;
  const auto submit = [&](const Submission& slice) -> Status {
    const SubmitReply reply = TRY(client.schedule(slice));
    TRY_STATUS(print_items(choice, reply.items));
    for (const Item& item : reply.items) {
      total.ids.push_back(item.id);
      if (item.existed) ++total.existed;
    }
    if (options.batch || options.array)
      progress.show(count_of(total.ids.size(), "task") + " scheduled");
    return {};
  };
  Status submitted = for_each_submission(arguments, options, submit);
  if (!submitted && !total.ids.empty())
    submitted.error().hint =
        count_of(total.ids.size(), "task") + " before it are scheduled; " +
        (options.array ? "the same command with --group " + options.group + " adds the rest"
                       : "sending the whole file again is safe for lines with an id");
  TRY_STATUS(submitted);
  return total;
}

void tell(const Total& total, const Options& options) {
  if (!options.group.empty())
    note(count_of(total.ids.size(), "task") + " scheduled as group " + options.group +
         "; wait for it with: fabric wait --group " + options.group);
  else if (options.batch)
    note(count_of(total.ids.size(), "task") + " scheduled" +
         (total.existed > 0 ? ", " + std::to_string(total.existed) + " of them before" : ""));
  else if (total.existed > 0)
    note("the same task was scheduled before; it is not run again");
  if (!total.supervised && !total.ids.empty() && !options.wait)
    note("queued, but no supervisor runs, so nothing runs yet; next: fabric up --detach");
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
  TRY_STATUS(for_each_submission(arguments, options, check));
  TRY_STATUS(print("would schedule " + count_of(tasks, "task") + "\n"));
  return 0;
}

// One line of all runs; each gets its id when its time comes.
Result<std::string> recurring_line(const Arguments& arguments, const Options& options) {
  std::string line =
      TRY(task_line(arguments, options.agent, system_clock().now(), Naming::by_others));
  const auto group = arguments.value("--group");
  if (!group) return line;
  TRY_STATUS(check_id(*group, "group id"));
  json::Writer w;
  w.begin_object().field("group", *group);
  return w.take() + "," + line.substr(1);
}

// When it runs first is not said: that is decided when it is added.
Result<int> check_recurring(const config::Workspace& workspace, const Arguments& arguments,
                            const Options& options) {
  TRY(in_context(CronExpression::parse(arguments.value("--every").value_or("")), "--every"));
  if (const auto zone = arguments.value("--timezone"))
    TRY(in_context(TimeZone::load(*zone), "--timezone"));
  const Submission submission = submission_of(TRY(recurring_line(arguments, options)));
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  for (const Task& task : TRY(operations::parse(submission)))
    if (task.require.empty()) TRY_STATUS(require_agent(txn, task.agent));
  TRY_STATUS(print("would schedule a recurring task\n"));
  return 0;
}

// Prints the id, and says when it runs first.
Result<int> add_recurring(const config::Workspace& workspace, const Arguments& arguments,
                          const Options& options, const JsonChoice& choice) {
  const Submission who = new_submission();
  const std::string id = arguments.value("--id").value_or("every-" + random_hex(4));
  json::Writer params;
  params.begin_object().field("id", id).field("every", arguments.value("--every").value_or(""));
  params.field("timezone", arguments.value("--timezone").value_or(""));
  params.field("missed", arguments.value("--missed").value_or("skip"));
  params.field("line", TRY(recurring_line(arguments, options)));
  params.field("user", who.user).field("correlation_id", who.correlation_id).end_object();
  Client client = TRY(Client::open(workspace));
  const json::Document answer = TRY(client.perform("add_recurring", params.take()));
  const Item item{id, false, TaskState::pending, options.agent};
  TRY_STATUS(print_items(choice, {item}));
  const WallTime due = TRY(parse_rfc3339(json::get_string(answer, "due").value_or("")));
  note("runs first at " + human(due, system_clock().now()) + "; end it with: fabric cancel " + id);
  if (!client.supervised())
    note("no supervisor runs, so nothing runs yet; next: fabric up --detach");
  return 0;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const Options options = TRY(read_options(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const bool dry_run = arguments.has(k_dry_run.name);
  if (arguments.has("--every"))
    return dry_run ? check_recurring(workspace, arguments, options)
                   : add_recurring(workspace, arguments, options, choice);
  if (dry_run) return check_only(workspace, arguments, options);
  const Total total = TRY(submit_all(workspace, arguments, options, choice));
  tell(total, options);
  if (!options.wait) return 0;

  const store::Store store = TRY(open_store(workspace));
  WaitOptions waiting;
  waiting.ids = total.ids;
  return TRY(wait_for_tasks(workspace, store, waiting)).exit_code;
}

constexpr Positional k_positionals[] = {
    {"AGENT", "The agent that is to run it.", Complete::agent, {}, false}};
constexpr Option k_source_options[] = {
    {"--batch", "", "FILE|-",
     "Schedule many: one JSON object a line, with the fields that DESCRIPTION lists.", Takes::value,
     Complete::file},
    {"--dag", "", "FILE|-",
     "Schedule the tasks of a TOML or JSON file that depend on each other, all or none.",
     Takes::value, Complete::file},
    {"--array", "", "RANGE|@FILE",
     "One task for each number (1-100, 1-9:2, 1,5) or line; {item} stands for it in payload and "
     "metadata.",
     Takes::value, Complete::file},
    {"--every", "", "EXPR", "Again and again: a cron expression ('0 9 * * 1-5'), or 'every 15m'."},
    {"--timezone", "", "ZONE", "Of --every, for example Europe/Berlin. Default: yours."},
    {"--missed", "", "POLICY",
     "Runs of --every that passed while no supervisor ran. Default: skip.", Takes::value,
     Complete::nothing, "skip|once|all"},
    {"--wait-for-space", "", "DURATION",
     "When a queue is full, wait up to this long for space in it before giving up (exit code 6)."},
    {"--wait", "", "", "Return when all have ended, with the exit code of fabric-wait(1).",
     Takes::nothing},
    k_dry_run};
constexpr auto k_options = [] {
  constexpr size_t k_count =
      std::size(k_task_options) + std::size(k_start_options) + std::size(k_source_options);
  std::array<Option, k_count> options{};
  auto* end = std::copy(std::begin(k_task_options), std::end(k_task_options), options.data());
  end = std::copy(std::begin(k_start_options), std::end(k_start_options), end);
  std::copy(std::begin(k_source_options), std::end(k_source_options), end);
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
    "The file of --dag has a [[task]] table for each task (in JSON: {\"tasks\": [...]}) with the "
    "same fields, and a name that is local to the file: depends_on and {tasks.NAME.result.KEY} in "
    "payloads take local names. The ids are GROUP.NAME. A payload may hold a reference to the "
    "result "
    "of any task it depends on; it is replaced when the task starts.\n\n"
    "An array has the ids GROUP.N; the group is --group, else --id, else a new one. A line of the "
    "file that is JSON is inserted as such where {item} is a whole string.\n\n"
    "--every takes the five fields of cron(8): minute, hour, day of month, month, day of week, "
    "with "
    "lists, ranges, steps, names (mon, jan) and L for the last day of a month; when both day "
    "fields "
    "are restricted either may match; @daily and the like; or an interval, 'every 15m'. A fixed "
    "time "
    "of day that a change of clocks skips comes at the end of the gap, one that it repeats comes "
    "once. "
    "Each run is a task with the id ID.TIME, scheduled once, whatever dies and however the clock "
    "is "
    "set. 'fabric tasks --recurring' lists what recurs, 'fabric cancel ID' ends it.\n\n"
    "Whose turn it is: share groups get slot time by their weights, inside a group the priorities "
    "as "
    "64:16:4:1, inside a priority the queues of agents alike, and inside those the first comes "
    "first. "
    "So no task waits for ever: the first of a priority in its queue, when nothing else holds it "
    "back, starts within 2 L (1 + (own + n W / w_min + S) / S), own = W / w (V / v Q (1 + R) + 4 + "
    "S), where L is the longest that a task runs, S the slots, n the groups with work, W the sum "
    "of "
    "their weights, w that of its group, w_min the least, V the sum of the weights of the "
    "priorities, "
    "v that of its own (low: 1), Q the queues of its priority with work, and R tasks of it that "
    "run "
    "when the wait begins.\n\n"
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
