// SPDX-License-Identifier: Apache-2.0
#include "fabric/top_view.hpp"

#include <algorithm>
#include <cmath>

#include "base/size.hpp"
#include "fabric/event_view.hpp"
#include "fabric/table.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/workspace_view.hpp"

namespace fabric::cmd {
namespace {

constexpr size_t k_least_events = 4;  // lines of the screen that are theirs, if there are as many
constexpr size_t k_events_at_once = 10;  // where nothing limits the lines

// Lines of text that has no line feed at its end left over.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::string_view line : split(text, '\n')) lines.emplace_back(line);
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string supervisor_in_words(const TopData& data) {
  const SupervisorStatus& supervisor = data.workspace.supervisor;
  if (!supervisor.running)
    return data.workspace.queue.pending > 0 ? "stopped: nothing starts (fabric up --detach)"
                                            : "stopped";
  const std::string pid = " (pid " + std::to_string(supervisor.record.pid) + ")";
  if (data.silent) return "does not answer" + pid;
  return "running since " + human(supervisor.record.since, data.now) + pid;
}

std::vector<std::string> head(const TopData& data, size_t columns) {
  const StatusView& view = data.workspace;
  std::vector<std::string> lines;
  const auto add = [&](std::string_view key, const std::string& value, Colour colour) {
    const std::string shown = printable(value);
    std::string title(key);
    title.resize(12, ' ');
    lines.push_back(
        coloured(title, Colour::dim) +
        coloured(columns == 0 ? shown : fit(shown, columns - std::min<size_t>(columns, 12)),
                 colour));
  };
  add("workspace", view.workspace, Colour::bold);
  add("supervisor", supervisor_in_words(data),
      view.supervisor.running && !data.silent ? Colour::green : Colour::yellow);
  add("tasks", counts_in_words(view.queue), Colour::none);
  if (view.ready && view.queue.pending > 0) add("ready", ready_in_words(view), Colour::none);
  if (view.supervisor.running)
    add("pressure",
        view.supervisor.record.pressure.empty() ? "none" : view.supervisor.record.pressure,
        view.supervisor.record.pressure.empty() ? Colour::none : Colour::yellow);
  if (!view.pauses.empty()) {
    std::vector<std::string> pauses;
    for (const Pause& pause : view.pauses) pauses.push_back(pause_in_words(pause, data.now));
    add("paused", join(pauses, "; "), Colour::yellow);
  }
  return lines;
}

double percent_of(const TopData& data, const std::string& agent) {
  const auto known = data.cpu_percent.find(agent);
  return known == data.cpu_percent.end() ? -1 : known->second;
}

std::vector<const AgentView*> busiest_first(const TopData& data) {
  std::vector<const AgentView*> agents;
  for (const AgentView& view : data.workspace.agents) agents.push_back(&view);
  std::stable_sort(agents.begin(), agents.end(), [&](const AgentView* a, const AgentView* b) {
    if (a->tasks.running != b->tasks.running) return a->tasks.running > b->tasks.running;
    if (a->tasks.pending != b->tasks.pending) return a->tasks.pending > b->tasks.pending;
    return percent_of(data, a->agent.definition.id) > percent_of(data, b->agent.definition.id);
  });
  return agents;
}

std::string last_in_words(const TopData& data, const std::string& agent) {
  const auto last = data.last_event.find(agent);
  if (last == data.last_event.end()) return "";
  const Event& event = last->second;
  std::string_view kind = to_string(event.kind);
  kind.remove_prefix(kind.find('.') + 1);  // nothing when there is none
  std::string text(kind);
  if (!event.task.empty()) return text + " " + event.task;
  return event.detail.empty() ? text : text + " " + event.detail;
}

// The first line is the heading.
std::vector<std::string> agent_lines(const TopData& data, size_t columns) {
  Table table({{"AGENT", Align::left, 8},
               {"STATE"},
               {"RUNNING", Align::right},
               {"PENDING", Align::right},
               {"MEMORY", Align::right},
               {"CPU", Align::right},
               {"LAST EVENT", Align::left, 10}});
  for (const AgentView* view : busiest_first(data)) {
    const AgentDefinition& definition = view->agent.definition;
    const bool unhealthy = view->agent.health == Health::unhealthy;
    const double percent = percent_of(data, definition.id);
    table.add(
        {definition.id,
         {std::string(unhealthy ? to_string(view->agent.health) : to_string(view->shown_state())),
          unhealthy ? Colour::red : colour_of(view->shown_state())},
         std::to_string(view->tasks.running) + "/" +
             std::to_string(definition.max_concurrent_tasks),
         std::to_string(view->tasks.pending),
         view->usage ? human_size(view->usage->memory_bytes) : "",
         percent < 0 ? "" : std::to_string(std::lround(percent)) + " %",
         last_in_words(data, definition.id)});
  }
  return lines_of(table.to_text(columns));
}

// The first line is the heading; then the newest `count`, the newest last.
std::vector<std::string> event_lines(const TopData& data, size_t columns, size_t count) {
  Table table({{"AT"},
               {"EVENT"},
               {"TASK", Align::left, 8},
               {"AGENT", Align::left, 8},
               {"DETAIL", Align::left, 8}});
  const size_t skip = data.newest.size() - std::min(count, data.newest.size());
  for (auto event = data.newest.begin() + static_cast<std::ptrdiff_t>(skip);
       event != data.newest.end(); ++event)
    table.add({human(event->at, data.now),
               {std::string(to_string(event->kind)), colour_of(event->kind)},
               event->task,
               event->agent,
               event->detail});
  return lines_of(table.to_text(columns));
}

// Cut to `columns`, colours aside; what a table does not shrink so far would be wrapped.
std::string clipped(const std::string& line, size_t columns) {
  std::string plain;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\x1b') {
      plain += line[i];
      continue;
    }
    while (i < line.size() && line[i] != 'm') ++i;
  }
  return display_width(plain) <= columns ? line : fit(plain, columns);
}

struct Plan {
  size_t agents = 0, events = 0;  // lines of each, without headings
};

// Divides the lines that are left below the head.
Plan plan_for(size_t rows, size_t head_lines, size_t agents, size_t events) {
  if (rows == 0) return {agents, std::min(events, k_events_at_once)};
  // An empty line and a heading for each, and the line of keys.
  const size_t fixed = head_lines + 5;
  const size_t left = rows > fixed ? rows - fixed : 0;
  Plan plan;
  plan.agents = std::min(agents, left - std::min({left / 3, events, k_least_events}));
  plan.events = std::min(events, left - plan.agents);
  return plan;
}

std::string keys(size_t first, size_t shown, size_t agents) {
  std::string text = "q quits";
  if (shown < agents)
    text += "   j k scroll: agents " + std::to_string(shown == 0 ? 0 : first + 1) + " to " +
            std::to_string(first + shown) + " of " + std::to_string(agents);
  return text;
}

}  // namespace

size_t top_page(const TopData& data, TopSize size) {
  return plan_for(size.rows, head(data, size.columns).size(), data.workspace.agents.size(),
                  data.newest.size())
      .agents;
}

std::vector<std::string> top_lines(const TopData& data, TopSize size, size_t& first) {
  std::vector<std::string> lines = head(data, size.columns);
  const size_t agents = data.workspace.agents.size();
  const Plan plan = plan_for(size.rows, lines.size(), agents, data.newest.size());
  first = std::min(first, agents - plan.agents);
  lines.emplace_back();
  if (agents == 0) {
    lines.emplace_back("no agents yet; next: fabric spawn ID -- COMMAND...");
  } else {
    const std::vector<std::string> table = agent_lines(data, size.columns);
    lines.push_back(table[0]);
    for (size_t i = 0; i < plan.agents; ++i) lines.push_back(table[1 + first + i]);
  }
  if (plan.events > 0) {
    lines.emplace_back();
    for (std::string& line : event_lines(data, size.columns, plan.events))
      lines.push_back(std::move(line));
  }
  if (size.rows == 0) return lines;
  lines.resize(size.rows - 1);
  lines.push_back(coloured(keys(first, plan.agents, agents), Colour::dim));
  for (std::string& line : lines) line = clipped(line, size.columns);
  return lines;
}

}  // namespace fabric::cmd
