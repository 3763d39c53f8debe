// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/submission.hpp"
#include "fabric/task_exit.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/waiting.hpp"
#include "supervisor/operations.hpp"

namespace fabric::cmd {
namespace {

using Item = SubmitReply::Item;

constexpr auto k_fields = std::to_array<JsonField<Item>>({
    {"id", "The task's id.", [](json::Writer& w, const Item& v) { w.string(v.id); }},
    {"agent", "The agent it is for.", [](json::Writer& w, const Item& v) { w.string(v.agent); }},
    {"state", "Its state now.",
     [](json::Writer& w, const Item& v) { w.string(to_string(v.state)); }},
    {"existed", "true when the same task had been scheduled before.",
     [](json::Writer& w, const Item& v) { w.boolean(v.existed); }},
});
JsonShape schedule_shape() { return shape_of<k_fields>(); }

struct Options {
  std::string agent;
  std::optional<std::string> batch;
  bool wait = false;
};

Result<Options> read_options(const Arguments& arguments) {
  Options options;
  options.agent = arguments.positional(0);
  options.batch = arguments.value("--batch");
  options.wait = arguments.has("--wait");
  if (!options.batch && arguments.positionals().empty())
    return fail(ErrorCode::usage, "schedule: AGENT is missing", "see 'fabric schedule --help'");
  if (options.batch && !arguments.positionals().empty())
    return fail(ErrorCode::usage, "schedule: AGENT and --batch exclude each other",
                "each line of the batch names its agent");
  if (options.batch)
    for (const Option& option : k_task_options)
      if (arguments.has(option.name))
        return fail(ErrorCode::usage,
                    "schedule: " + std::string(option.name) + " and --batch exclude each other",
                    "each line of the batch says it for its task");
  return options;
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

Result<Total> submit_batch(const config::Workspace& workspace, const std::string& path,
                           const JsonChoice& choice) {
  Client client = TRY(Client::open(workspace));
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
    progress.show(count_of(total.ids.size(), "task") + " scheduled");
    return {};
  };
  Status submitted = for_each_slice(path, submit);
  if (!submitted && !total.ids.empty())
    submitted.error().hint = count_of(total.ids.size(), "task") +
                             " before it are scheduled; sending the whole file again is safe for "
                             "lines with an id";
  TRY_STATUS(submitted);
  return total;
}

Result<Total> submit_one(const config::Workspace& workspace, const Submission& submission,
                         const JsonChoice& choice) {
  Client client = TRY(Client::open(workspace));
  Total total;
  total.supervised = client.supervised();
  const SubmitReply reply = TRY(client.schedule(submission));
  TRY_STATUS(print_items(choice, reply.items));
  for (const Item& item : reply.items) {
    total.ids.push_back(item.id);
    if (item.existed) note("the same task was scheduled before; it is not run again");
  }
  return total;
}

// Everything that can be known without queueing: the lines are well-formed and their agents exist.
Result<int> check_only(const config::Workspace& workspace, const Arguments& arguments,
                       const Options& options) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  size_t tasks = 0;
  const auto check = [&](const Submission& slice) -> Status {
    for (const Task& task : TRY(operations::parse(slice))) {
      TRY(require_agent(txn, task.agent));
      ++tasks;
    }
    return {};
  };
  if (options.batch)
    TRY_STATUS(for_each_slice(*options.batch, check));
  else
    TRY_STATUS(check(TRY(submission_from(arguments, options.agent))));
  TRY_STATUS(print("would schedule " + count_of(tasks, "task") + "\n"));
  return 0;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const Options options = TRY(read_options(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  if (arguments.has(k_dry_run.name)) return check_only(workspace, arguments, options);
  Total total;
  if (options.batch) {
    total = TRY(submit_batch(workspace, *options.batch, choice));
    note(count_of(total.ids.size(), "task") + " scheduled" +
         (total.existed > 0 ? ", " + std::to_string(total.existed) + " of them before" : ""));
  } else {
    const Submission submission = TRY(submission_from(arguments, options.agent));
    total = TRY(submit_one(workspace, submission, choice));
  }
  if (!total.supervised && !total.ids.empty() && !options.wait)
    note("queued, but no supervisor runs, so nothing runs yet; next: fabric up --detach");
  if (!options.wait) return 0;

  const store::Store store = TRY(open_store(workspace));
  int code = 0;
  for (const Task& task : TRY(wait_for_tasks(workspace, store, total.ids, Duration{})))
    if (code == 0) code = exit_code_of(task);
  return code;
}

constexpr Positional k_positionals[] = {
    {"AGENT", "The agent that is to run it.", Complete::agent, {}, false}};
constexpr auto k_options = [] {
  std::array<Option, std::size(k_task_options) + 3> options{};
  std::copy(std::begin(k_task_options), std::end(k_task_options), options.begin());
  options[options.size() - 3] = {"--batch",
                                 "",
                                 "FILE|-",
                                 "Schedule many: one JSON object a line, with agent, payload and "
                                 "optionally id, type, priority, "
                                 "depends_on, timeout_seconds, metadata.",
                                 Takes::value,
                                 Complete::file};
  options[options.size() - 2] = {
      "--wait", "", "", "Return when all have ended, with the exit code of fabric-wait(1).",
      Takes::nothing};
  options[options.size() - 1] = k_dry_run;
  return options;
}();
constexpr Example k_examples[] = {
    {"fabric schedule coder --payload '{\"file\": \"main.c\"}' --timeout 5m",
     "One task, stopped when it runs for more than five minutes."},
    {"fabric schedule --batch tasks.ndjson", "As many tasks as the file has lines."}};

}  // namespace

const Command k_schedule_command{
    "schedule",
    Group::tasks,
    "queue tasks for agents",
    "Prints the id of each task once it is on disk. Without a supervisor it queues as well, and "
    "says "
    "that nothing runs yet. An id that is known already is the same task when it says the same, "
    "and "
    "an error otherwise.\n\n"
    "A batch is written in transactions of at most 10,000 lines or 8 MiB: each is there whole or "
    "not "
    "at all. A line that cannot be scheduled is named by its number, and nothing of its "
    "transaction "
    "or of a later one is there. Tasks may depend on earlier lines and on each other within one "
    "transaction. With --json: one object a line.",
    k_positionals,
    k_options,
    {},
    k_examples,
    schedule_shape,
    run};

}  // namespace fabric::cmd
