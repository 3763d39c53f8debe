// SPDX-License-Identifier: Apache-2.0
// Tasks as people see them.
#include <algorithm>
#include <cstring>

#include "fabric/text.hpp"
#include "fabric/views.hpp"
#include "model/violation.hpp"

namespace fabric::cmd {
std::string took(const Task& task, WallTime now) {
  if (!task.started_at.set()) return "";
  return human((task.finished_at.set() ? task.finished_at : now) - task.started_at);
}

Colour colour_of(TaskState state) {
  switch (state) {
    case TaskState::pending:
      return Colour::none;
    case TaskState::running:
      return Colour::cyan;
    case TaskState::completed:
      return Colour::green;
    case TaskState::failed:
    case TaskState::timed_out:
      return Colour::red;
    case TaskState::cancelled:
      return Colour::yellow;
  }
  return Colour::none;
}

std::string state_in_words(const Task& task) {
  std::string why;
  if (task.reason == Reason::exit && task.exit_code)
    why = "exit code " + std::to_string(*task.exit_code);
  else if (task.reason == Reason::signal && task.signal) {
    const char* name = ::sigabbrev_np(*task.signal);
    why = name ? "SIG" + std::string(name) : "signal " + std::to_string(*task.signal);
  } else if (task.state == TaskState::pending && task.waiting_on > 0)
    why = "waits for " + count_of(task.waiting_on, "task");
  else if (task.reason == Reason::not_before)
    why = "not before " + human(task.not_before, system_clock().now());
  else if (task.reason == Reason::exclusive)
    why = "waits for exclusive key " + task.exclusive;
  else if (!task.detail.empty())
    why = task.detail;
  else if (task.reason != Reason::queued && task.reason != Reason::timeout &&
           task.reason != Reason::user)
    why = to_string(task.reason);
  std::string state(to_string(task.state));
  std::replace(state.begin(), state.end(), '_', ' ');
  return why.empty() ? state : state + ": " + why;
}

std::string likely_cause(const Task& task) {
  const size_t at = task.detail.find(k_likely);
  return at == std::string::npos ? "" : task.detail.substr(at + k_likely.size());
}

// A column that says nothing is left out where space is short.
std::string tasks_table(const std::vector<Task>& tasks, WallTime now) {
  constexpr size_t k_roomy = 100;
  const size_t width = terminal_width();
  const bool narrow = width != 0 && width < k_roomy;
  const bool types = !narrow || std::any_of(tasks.begin(), tasks.end(),
                                            [](const Task& t) { return !t.type.empty(); });
  const bool priorities = !narrow || std::any_of(tasks.begin(), tasks.end(), [](const Task& t) {
    return t.priority != Priority::normal;
  });
  std::vector<Column> columns{{"TASK", Align::left, 12}, {"AGENT", Align::left, 6}};
  if (types) columns.push_back({"TYPE", Align::left, 4});
  if (priorities) columns.push_back({"PRIORITY"});
  columns.insert(columns.end(), {{"STATE", Align::left, 12}, {"CREATED"}, {"TOOK", Align::right}});
  Table table(std::move(columns));
  for (const Task& task : tasks) {
    std::vector<Cell> row{task.id, task.agent};
    if (types) row.emplace_back(task.type);
    if (priorities) row.emplace_back(std::string(to_string(task.priority)));
    row.emplace_back(state_in_words(task), colour_of(task.state));
    row.emplace_back(human(task.created_at, now));
    row.emplace_back(took(task, now));
    table.add(std::move(row));
  }
  return table.to_text(width);
}

std::string recurring_table(const std::vector<Recurring>& recurring, WallTime now) {
  Table table({{"ID", Align::left, 10},
               {"EVERY", Align::left, 10},
               {"TIMEZONE", Align::left, 8},
               {"NEXT RUN"},
               {"LAST RUN"},
               {"RUNS", Align::right},
               {"MISSED", Align::right},
               {"DETAIL", Align::left, 8}});
  for (const Recurring& r : recurring)
    table.add({r.id,
               r.every,
               r.timezone,
               human(r.due, now),
               human(r.last_run, now),
               std::to_string(r.runs),
               std::to_string(r.missed_runs),
               {r.detail, Colour::red}});
  return table.to_text(terminal_width());
}

std::string recurring_facts(const Recurring& r, WallTime now) {
  Facts facts;
  facts.add("recurring task", r.id, Colour::bold);
  facts.add("every", r.every);
  if (!r.timezone.empty()) facts.add("timezone", r.timezone);
  facts.add("next run", r.due.set() ? human(r.due, now) : "none");
  if (r.last_run.set())
    facts.add("last run", human(r.last_run, now) + " (task " + run_id(r, r.last_run) + ")");
  facts.add("runs", std::to_string(r.runs) + ", missed " + std::to_string(r.missed_runs));
  facts.add("missed runs", std::string(to_string(r.missed)));
  if (!r.detail.empty()) facts.add("detail", r.detail, Colour::red);
  facts.add("task", fit(printable(r.line), 200));
  if (!r.user.empty()) facts.add("user", r.user);
  facts.add("created", human(r.created_at, now));
  return facts.to_text();
}

}  // namespace fabric::cmd
