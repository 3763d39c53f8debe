// SPDX-License-Identifier: Apache-2.0
#include "fabric/views.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/size.hpp"
#include "fabric/text.hpp"
#include "store/ownership.hpp"

namespace fabric::cmd {
namespace {

std::string pairs_in_words(const Metadata& pairs) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : pairs) parts.push_back(key + "=" + value);
  return join(parts, " ");
}

std::string limits_in_words(const Limits& limits) {
  return "memory " + (limits.memory_bytes == 0 ? "any" : size_to_string(limits.memory_bytes)) +
         ", cpu " +
         (limits.cpu_millicores == 0 ? "any" : cpu_cores_to_string(limits.cpu_millicores)) +
         ", pids " + (limits.pids == 0 ? "any" : std::to_string(limits.pids));
}

std::string cpu_in_words(double seconds) {
  return human(Duration::nanoseconds(static_cast<int64_t>(seconds * 1e9)));
}

std::string took(const Task& task, WallTime now) {
  if (!task.started_at.set()) return "";
  return human((task.finished_at.set() ? task.finished_at : now) - task.started_at);
}

}  // namespace

UsageList live_usage(const config::Workspace& workspace) {
  const auto holder = store::Ownership::holder(workspace.owner_path());
  if (!holder || !*holder) return {};
  auto client = Client::open(workspace);
  if (!client || !client->supervised()) return {};
  auto usage = client->usage();
  return usage ? *std::move(usage) : UsageList{};
}

Result<AgentView> view_of(const store::ReadTxn& txn, Agent agent, const UsageList& usage) {
  AgentView view;
  view.tasks = TRY(txn.counts(agent.number));
  const auto found = std::find_if(usage.begin(), usage.end(), [&](const auto& entry) {
    return entry.first == agent.definition.id;
  });
  if (found != usage.end()) {
    view.usage = found->second;
    // Heartbeats are not stored, so the supervisor's memory knows best.
    agent.last_heartbeat_at = std::max(agent.last_heartbeat_at, found->second.heartbeat_at);
  }
  view.agent = std::move(agent);
  return view;
}

Result<std::vector<AgentView>> all_agents(const store::ReadTxn& txn, const UsageList& given) {
  UsageList usage = given;
  std::sort(usage.begin(), usage.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<AgentView> views;
  for (Agent& agent : TRY(txn.list_agents())) {
    const auto found =
        std::lower_bound(usage.begin(), usage.end(), agent.definition.id,
                         [](const auto& entry, const std::string& id) { return entry.first < id; });
    const bool known = found != usage.end() && found->first == agent.definition.id;
    views.push_back(TRY(view_of(txn, std::move(agent), known ? UsageList{*found} : UsageList{})));
  }
  return views;
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

Colour colour_of(AgentState state) {
  switch (state) {
    case AgentState::starting:
    case AgentState::stopping:
      return Colour::yellow;
    case AgentState::ready:
      return Colour::green;
    case AgentState::busy:
      return Colour::cyan;
    case AgentState::stopped:
      return Colour::none;
    case AgentState::failed:
      return Colour::red;
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
  else if (!task.detail.empty())
    why = task.detail;
  else if (task.reason != Reason::queued && task.reason != Reason::timeout &&
           task.reason != Reason::user)
    why = to_string(task.reason);
  std::string state(to_string(task.state));
  std::replace(state.begin(), state.end(), '_', ' ');
  return why.empty() ? state : state + ": " + why;
}

std::string counts_in_words(const TaskCounts& counts) {
  std::vector<std::string> parts;
  for (int i = 0; i < k_task_states; ++i) {
    const auto state = static_cast<TaskState>(i);
    if (counts.of(state) == 0) continue;
    std::string name(to_string(state));
    std::replace(name.begin(), name.end(), '_', ' ');
    parts.push_back(std::to_string(counts.of(state)) + " " + name);
  }
  return parts.empty() ? "empty" : join(parts, ", ");
}

std::string agents_table(const std::vector<AgentView>& agents) {
  Table table({{"AGENT", Align::left, 10},
               {"STATE"},
               {"MODEL", Align::left, 5},
               {"PENDING", Align::right},
               {"RUNNING", Align::right},
               {"DONE", Align::right},
               {"FAILED", Align::right},
               {"MEMORY", Align::right},
               {"CPU", Align::right}});
  for (const AgentView& view : agents) {
    const Agent& agent = view.agent;
    const bool unhealthy = agent.health == Health::unhealthy;
    const std::string state(unhealthy ? to_string(agent.health) : to_string(view.shown_state()));
    const uint64_t failed = view.tasks.failed + view.tasks.timed_out;
    table.add({agent.definition.id,
               {state, unhealthy ? Colour::red : colour_of(view.shown_state())},
               agent.definition.model,
               std::to_string(view.tasks.pending),
               std::to_string(view.tasks.running),
               std::to_string(view.tasks.completed),
               {std::to_string(failed), failed > 0 ? Colour::red : Colour::none},
               view.usage ? human_size(view.usage->memory_bytes) : "",
               view.usage ? cpu_in_words(view.usage->cpu_seconds) : ""});
  }
  return table.to_text(terminal_width());
}

std::string agent_facts(const AgentView& view, WallTime now) {
  const AgentDefinition& definition = view.agent.definition;
  Facts facts;
  facts.add("agent", definition.id, Colour::bold);
  facts.add("state", std::string(to_string(view.shown_state())), colour_of(view.shown_state()));
  facts.add("health", std::string(to_string(view.agent.health)));
  if (!view.agent.detail.empty()) facts.add("detail", view.agent.detail);
  facts.add("kind", std::string(to_string(definition.kind)));
  if (!definition.command.empty()) facts.add("command", join(definition.command, " "));
  if (!definition.model.empty()) facts.add("model", definition.model);
  if (!definition.tools.empty()) facts.add("tools", join(definition.tools, " "));
  if (definition.kind != AgentKind::external) {
    facts.add("isolation", std::string(to_string(definition.isolation)));
    facts.add("limits", limits_in_words(definition.limits));
  }
  if (!definition.user.empty()) facts.add("user", definition.user);
  if (!definition.labels.empty()) facts.add("labels", pairs_in_words(definition.labels));
  if (view.agent.pid > 0) facts.add("pid", std::to_string(view.agent.pid));
  facts.add("spawned", human(view.agent.spawned_at, now));
  facts.add("tasks", counts_in_words(view.tasks));
  if (view.usage)
    facts.add("uses", human_size(view.usage->memory_bytes) + " memory, " +
                          cpu_in_words(view.usage->cpu_seconds) + " cpu, " +
                          std::to_string(view.usage->pids) +
                          (view.usage->pids == 1 ? " process" : " processes"));
  return facts.to_text();
}

std::string tasks_table(const std::vector<Task>& tasks, WallTime now) {
  Table table({{"TASK", Align::left, 12},
               {"AGENT", Align::left, 10},
               {"TYPE", Align::left, 8},
               {"PRIORITY"},
               {"STATE", Align::left, 12},
               {"CREATED"},
               {"TOOK", Align::right}});
  for (const Task& task : tasks)
    table.add({task.id,
               task.agent,
               task.type,
               std::string(to_string(task.priority)),
               {state_in_words(task), colour_of(task.state)},
               human(task.created_at, now),
               took(task, now)});
  return table.to_text(terminal_width());
}

std::string task_facts(const Task& task, WallTime now) {
  Facts facts;
  facts.add("task", task.id, Colour::bold);
  facts.add("agent", task.agent);
  if (!task.type.empty()) facts.add("type", task.type);
  facts.add("state", state_in_words(task), colour_of(task.state));
  facts.add("priority", std::string(to_string(task.priority)));
  if (task.timeout.ns > 0) facts.add("timeout", human(task.timeout));
  if (!task.depends_on.empty()) facts.add("depends on", join(task.depends_on, " "));
  if (!task.metadata.empty()) facts.add("metadata", pairs_in_words(task.metadata));
  facts.add("payload", fit(printable(task.payload), 200));
  if (!task.user.empty()) facts.add("user", task.user);
  facts.add("created", human(task.created_at, now));
  if (task.started_at.set()) facts.add("started", human(task.started_at, now));
  if (task.finished_at.set()) facts.add("finished", human(task.finished_at, now));
  if (const std::string time = took(task, now); !time.empty()) facts.add("took", time);
  if (task.attempt > 1) facts.add("attempt", std::to_string(task.attempt));
  if (is_terminal(task.state) && task.attempt > 0) {
    facts.add("result",
              human_size(task.result_bytes) + ", stderr " + human_size(task.stderr_bytes));
    facts.add("used", human(task.cpu) + " cpu, " + human_size(task.memory_peak_bytes) + " memory");
  }
  if (task.dropped_bytes > 0) facts.add("dropped", human_size(task.dropped_bytes) + " of output");
  return facts.to_text();
}

}  // namespace fabric::cmd
