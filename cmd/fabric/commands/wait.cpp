// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/views.hpp"
#include "fabric/waiting.hpp"

namespace fabric::cmd {
namespace {

Result<WaitOptions> read_options(const Arguments& arguments) {
  WaitOptions options;
  options.ids = arguments.positionals();
  options.group = arguments.value("--group").value_or("");
  if (options.ids.empty() && options.group.empty())
    return fail(ErrorCode::usage, "wait: ID is missing", "name tasks, or a group: --group ID");
  size_t modes = 0;
  for (const auto& [name, what] :
       {std::pair("--all", WaitFor::all), std::pair("--any", WaitFor::any),
        std::pair("--first-failure", WaitFor::first_failure)})
    if (arguments.has(name)) {
      options.what = what;
      ++modes;
    }
  if (modes > 1)
    return fail(ErrorCode::usage, "wait: --all, --any and --first-failure exclude each other");
  if (const auto timeout = TRY(parsed(arguments, k_wait_timeout.name, parse_duration))) {
    // Zero means "look once" to the caller, but "for ever" to those who wait.
    options.patience = timeout->ns == 0 ? Duration::nanoseconds(1) : *timeout;
  }
  return options;
}

Status show(const store::ReadTxn& txn, const JsonChoice& choice, const Waited& waited) {
  std::string text;
  std::vector<std::string> elements;
  for (const Waited::Ended& ended : waited.tasks) {
    auto task = TRY(txn.find_task(ended.sequence));
    if (!task) {  // retention was quick
      task.emplace();
      task->id = ended.id;
      task->state = ended.state;
      task->reason = Reason::none;
    }
    if (choice.wanted())
      elements.push_back(task_json(choice, *task));
    else
      text += task->id + " " + state_in_words(*task) + "\n";
  }
  return print(choice.wanted() ? json_array(elements) : text);
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const WaitOptions options = TRY(read_options(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const Waited waited = TRY(wait_for_tasks(workspace, store, options));
  TRY_STATUS(show(TRY(store.read()), choice, waited));
  return waited.exit_code;
}

constexpr Positional k_positionals[] = {{"ID", "A task.", Complete::task, {}, false, true}};
constexpr Option k_options[] = {
    {"--group", "", "ID", "All tasks of this group (an array or a DAG) that are there now."},
    {"--all", "", "", "Return when all have ended. The default.", Takes::nothing},
    {"--any", "", "", "Return when one has ended, with its exit code.", Takes::nothing},
    {"--first-failure", "", "",
     "Return when one has ended without completing, with its exit code, or when all completed.",
     Takes::nothing},
    k_wait_timeout};
constexpr Example k_examples[] = {
    {"fabric wait t1 t2 --timeout 30s",
     "Waits for both; gives up after half a minute, with exit code 8."},
    {"fabric wait --group nightly --first-failure",
     "Waits for a whole array or DAG, but no longer than until something goes wrong."}};

}  // namespace

const Command k_wait_command{
    "wait",
    Group::tasks,
    "wait until tasks have ended",
    "The exit code is 0 when all completed, else that of the first that did not, in the order of "
    "the ids: its own exit code, 128+n when signal n ended it, 8 when it timed out, 1 otherwise. "
    "With --any, and with --first-failure when there was one, only the task that ended first is "
    "shown and counts. On a terminal the progress is shown meanwhile. With --json: an array of "
    "objects, in the order of the ids.",
    k_positionals,
    k_options,
    {},
    k_examples,
    task_shape,
    run};

}  // namespace fabric::cmd
