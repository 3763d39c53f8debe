// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/task_filter.hpp"
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
  store::TaskFilter filter = TRY(task_filter(arguments));
  filter.dead = arguments.has("--dead");
  filter.limit = TRY(parsed(arguments, "--limit", parse_limit)).value_or(k_default_limit);
  return filter;
}

// A list of other things: no filter of tasks fits.
Result<int> list_recurring(const Arguments& arguments) {
  if (has_task_filter(arguments) || arguments.has("--dead") || arguments.has("--limit"))
    return fail(ErrorCode::usage, "tasks: --recurring shows all recurring tasks",
                "leave out the other options");
  const JsonChoice choice = TRY(JsonChoice::from(arguments, recurring_shape()));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const std::vector<Recurring> all = TRY(TRY(store.read()).list_recurring());
  if (choice.wanted()) {
    std::vector<std::string> elements;
    for (const Recurring& recurring : all) elements.push_back(recurring_json(choice, recurring));
    TRY_STATUS(print(json_array(elements)));
  } else if (all.empty()) {
    note("no recurring tasks; one is made with: fabric schedule AGENT --every '0 9 * * 1-5'");
  } else {
    TRY_STATUS(print(recurring_table(all, system_clock().now())));
  }
  return 0;
}

Result<int> run(const Arguments& arguments) {
  if (arguments.has("--recurring")) return list_recurring(arguments);
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
    k_filter_agent,
    k_filter_type,
    k_filter_group,
    k_filter_metadata,
    {"--dead", "", "", "Only the dead-letter list: tasks that ended badly with no retry left.",
     Takes::nothing},
    {"--recurring", "", "",
     "List what --every of fabric-schedule(1) made, with its next and its last run.",
     Takes::nothing},
    {"--limit", "", "N", "Show at most the newest N, or all. Default: 50."}};
constexpr Example k_examples[] = {
    {"fabric tasks --state failed", "Lists the newest tasks that failed."},
    {"fabric tasks --agent coder --json=id,state --limit all",
     "Every task of one agent, for a program."}};

}  // namespace

const Command k_tasks_command{
    "tasks",
    Group::tasks,
    "list tasks",
    "One task a line, the newest first. With --json: an array of objects; with --recurring these "
    "have other fields: id, every, timezone, missed, next_run, last_run, runs, missed_runs, "
    "detail, task, created_at, user and correlation_id.",
    {},
    k_options,
    {},
    k_examples,
    task_shape,
    run};

}  // namespace fabric::cmd
