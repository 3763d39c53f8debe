// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/task_exit.hpp"
#include "fabric/views.hpp"
#include "fabric/waiting.hpp"

namespace fabric::cmd {
namespace {

struct Options {
  std::vector<std::string> ids;
  Duration patience;  // 0: for ever
};

Result<Options> read_options(const Arguments& arguments) {
  Options options;
  options.ids = arguments.positionals();
  if (const auto timeout = TRY(parsed(arguments, k_wait_timeout.name, parse_duration))) {
    // Zero means "look once" to the caller, but "for ever" to those who wait.
    options.patience = timeout->ns == 0 ? Duration::nanoseconds(1) : *timeout;
  }
  return options;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const Options options = TRY(read_options(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const std::vector<Task> tasks =
      TRY(wait_for_tasks(workspace, store, options.ids, options.patience));

  int code = 0;
  std::string text;
  std::vector<std::string> elements;
  for (const Task& task : tasks) {
    if (code == 0) code = exit_code_of(task);
    if (choice.wanted())
      elements.push_back(task_json(choice, task));
    else
      text += task.id + " " + state_in_words(task) + "\n";
  }
  TRY_STATUS(print(choice.wanted() ? json_array(elements) : text));
  return code;
}

constexpr Positional k_positionals[] = {{"ID", "A task.", Complete::task, {}, true, true}};
constexpr Option k_options[] = {k_wait_timeout};
constexpr Example k_examples[] = {
    {"fabric wait t1 t2", "Waits for both; the exit code is 0 when both completed."},
    {"fabric wait t1 --timeout 30s", "Gives up after half a minute, with exit code 8."}};

}  // namespace

const Command k_wait_command{
    "wait",
    Group::tasks,
    "wait until tasks have ended",
    "The exit code is 0 when all completed, else that of the first that did not: its own exit "
    "code, "
    "128+n when signal n ended it, 8 when it timed out, 1 otherwise. With --json: an array of "
    "objects, in the order of the ids.",
    k_positionals,
    k_options,
    {},
    k_examples,
    task_shape,
    run};

}  // namespace fabric::cmd
