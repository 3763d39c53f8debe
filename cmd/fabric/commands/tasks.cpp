// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {
namespace {

constexpr size_t k_default_limit = 50;

Result<size_t> parse_limit(std::string_view text) {
  if (text == "all") return size_t{0};
  size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc{} || end != text.data() + text.size() || limit == 0)
    return fail(ErrorCode::usage, "invalid number '" + printable(text) + "'",
                "write a number above 0, or all");
  return limit;
}

Result<store::TaskFilter> read_filter(const Arguments& arguments) {
  store::TaskFilter filter;
  filter.state = TRY(parsed(arguments, "--state", parse_task_state));
  filter.agent = arguments.value("--agent").value_or("");
  filter.type = arguments.value("--type").value_or("");
  filter.limit = TRY(parsed(arguments, "--limit", parse_limit)).value_or(k_default_limit);
  return filter;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const store::TaskFilter filter = TRY(read_filter(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const std::vector<Task> tasks = TRY(TRY(store.read()).list_tasks(filter));
  if (choice.wanted()) {
    std::vector<std::string> elements;
    for (const Task& task : tasks) elements.push_back(task_json(choice, task));
    TRY_STATUS(print(json_array(elements)));
    return 0;
  }
  if (tasks.empty())
    note("no such tasks");
  else
    TRY_STATUS(print(tasks_table(tasks, system_clock().now())));
  if (filter.limit != 0 && tasks.size() == filter.limit)
    note("the newest " + std::to_string(filter.limit) + " are shown; --limit all shows every one");
  return 0;
}

constexpr Option k_options[] = {
    {"--state", "", "STATE", "Only tasks in this state.", Takes::value, Complete::nothing,
     "pending|running|completed|failed|cancelled|timed_out"},
    {"--agent", "", "ID", "Only tasks of this agent.", Takes::value, Complete::agent},
    {"--type", "", "TYPE", "Only tasks of this type."},
    {"--limit", "", "N", "Show at most the newest N, or all. Default: 50."}};
constexpr Example k_examples[] = {
    {"fabric tasks --state failed", "Lists the newest tasks that failed."},
    {"fabric tasks --agent coder --json=id,state --limit all",
     "Every task of one agent, for a program."}};

}  // namespace

const Command k_tasks_command{
    "tasks",      Group::tasks,
    "list tasks", "One task a line, the newest first. With --json: an array of objects.",
    {},           k_options,
    {},           k_examples,
    task_shape,   run};

}  // namespace fabric::cmd
