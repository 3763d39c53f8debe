// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "fabric/commands.hpp"
#include "fabric/json_views.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/task_output.hpp"
#include "fabric/text.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {
namespace {

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const Task task = TRY(require_task(TRY(store.read()), arguments.positional(0)));
  if (!is_terminal(task.state))
    return fail(
        ErrorCode::not_found,
        "task " + task.id + " has no result yet: it is " + std::string(to_string(task.state)),
        "'fabric wait " + task.id + "' waits for its end");
  if (choice.wanted()) {
    ResultView view{task, {}};
    const Sink collect = [&](std::string_view piece) -> Status {
      view.text += piece;
      return {};
    };
    TRY_STATUS(read_output(workspace, store, task, TaskStream::out, collect));
    TRY_STATUS(print(result_json(choice, view) + "\n"));
    return 0;
  }
  TRY_STATUS(read_output(workspace, store, task, TaskStream::out, standard_sink(STDOUT_FILENO)));
  if (task.state != TaskState::completed)
    note("the task did not complete: " + state_in_words(task));
  if (task.dropped_bytes > 0)
    note(count_of(task.dropped_bytes, "byte") + " beyond the agent's limit were not kept");
  return 0;
}

constexpr Positional k_positionals[] = {{"ID", "The task.", Complete::task}};
constexpr Example k_examples[] = {
    {"fabric result t1 > answer.txt", "Keeps the result, byte for byte."},
    {"fabric result t1 --json=state,result", "The result with what became of the task."}};

}  // namespace

const Command k_result_command{
    "result",
    Group::tasks,
    "print what a task answered",
    "What it printed on standard output, or what a worker answered, whole and unchanged (on a "
    "terminal, control characters are made visible). Exit code 3 while the task has not ended.",
    k_positionals,
    {},
    {},
    k_examples,
    result_shape,
    run};

}  // namespace fabric::cmd
