// SPDX-License-Identifier: Apache-2.0
#include "fabric/views.hpp"

#include <poll.h>

#include <algorithm>

#include "base/size.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {

std::string pairs_in_words(const Metadata& pairs) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : pairs) parts.push_back(key + "=" + value);
  return join(parts, " ");
}

namespace {

std::string cpu_in_words(double seconds) {
  return human(Duration::nanoseconds(static_cast<int64_t>(seconds * 1e9)));
}

// Of those only what somebody chose.
std::string more_limits_in_words(const Limits& limits) {
  const Limits usual;
  std::string text;
  const auto add = [&](const char* name, const std::string& value) {
    text += std::string(", ") + name + " " + value;
  };
  const auto size = [](uint64_t bytes) { return bytes == 0 ? "any" : size_to_string(bytes); };
  if (limits.nofile != usual.nofile)
    add("descriptors", limits.nofile == 0 ? "any" : std::to_string(limits.nofile));
  if (limits.file_size_bytes != usual.file_size_bytes)
    add("file size", size(limits.file_size_bytes));
  if (limits.disk_bytes != usual.disk_bytes) add("disk", size(limits.disk_bytes));
  if (limits.tmp_bytes != 0) add("/tmp", size(limits.tmp_bytes));
  if (limits.shm_bytes != 0) add("/dev/shm", size(limits.shm_bytes));
  if (limits.output_rate != 0) add("output rate", size(limits.output_rate) + "/s");
  if (limits.egress_rate != 0) add("egress rate", size(limits.egress_rate) + "/s");
  if (limits.io_weight != 0) add("io weight", std::to_string(limits.io_weight));
  return text;
}

std::string limits_in_words(const Limits& limits) {
  return "memory " + (limits.memory_bytes == 0 ? "any" : size_to_string(limits.memory_bytes)) +
         ", cpu " +
         (limits.cpu_millicores == 0 ? "any" : cpu_cores_to_string(limits.cpu_millicores)) +
         ", pids " + (limits.pids == 0 ? "any" : std::to_string(limits.pids)) +
         more_limits_in_words(limits);
}

std::string disk_in_words(const AgentView& view) {
  const std::string limit = size_to_string(view.agent.definition.limits.disk_bytes);
  const bool known = view.usage && view.usage->disk_bytes;
  return (known ? human_size(*view.usage->disk_bytes) + " of " : "at most ") + limit +
         (view.agent.disk_quota.empty() ? "" : ", " + view.agent.disk_quota);
}

// What is beyond the usual.
void add_use(Facts& facts, const LiveUsage& usage) {
  facts.add("uses", human_size(usage.memory_bytes) + " memory, " + cpu_in_words(usage.cpu_seconds) +
                        " cpu, " + std::to_string(usage.pids) +
                        (usage.pids == 1 ? " process" : " processes"));
  facts.add("disk traffic", human_size(usage.io_read_bytes) + " read, " +
                                human_size(usage.io_written_bytes) + " written");
  if (usage.net_received_bytes && usage.net_sent_bytes)
    facts.add("network", human_size(*usage.net_received_bytes) + " received, " +
                             human_size(*usage.net_sent_bytes) + " sent");
  if (usage.pids_refused > 0)
    facts.add("refused", count_of(usage.pids_refused, "start") + " of a process", Colour::yellow);
  if (usage.oom_kills > 0)
    facts.add("killed", count_of(usage.oom_kills, "time") + " by the memory limit", Colour::red);
  if (usage.cpu_throttled_seconds >= 0.1)
    facts.add("waited", cpu_in_words(usage.cpu_throttled_seconds) + " because of the cpu limit");
}

}  // namespace

LiveUsageList live_usage(const config::Workspace& workspace) {
  constexpr Duration k_patience = Duration::seconds(3);
  UsageWatch watch(workspace.control_socket());
  watch.ask();
  const MonoTime deadline = system_clock().monotonic() + k_patience;
  while (watch.fd() >= 0) {
    pollfd wait{watch.fd(), POLLIN, 0};
    const int64_t left = (deadline - system_clock().monotonic()).to_millis();
    const int ready = ::poll(&wait, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (ready == 0) {
      note("the supervisor does not answer; is it stopped? see: ps -o pid,stat,cmd -C fabric");
      break;
    }
    if (ready < 0) continue;
    if (auto usage = watch.take()) return *std::move(usage);
  }
  return {};
}

Result<AgentView> view_of(const store::ReadTxn& txn, Agent agent, const LiveUsageList& usage) {
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

Result<std::vector<AgentView>> all_agents(const store::ReadTxn& txn, const LiveUsageList& given) {
  LiveUsageList usage = given;
  std::sort(usage.begin(), usage.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<AgentView> views;
  for (Agent& agent : TRY(txn.list_agents())) {
    const auto found =
        std::lower_bound(usage.begin(), usage.end(), agent.definition.id,
                         [](const auto& entry, const std::string& id) { return entry.first < id; });
    const bool known = found != usage.end() && found->first == agent.definition.id;
    views.push_back(
        TRY(view_of(txn, std::move(agent), known ? LiveUsageList{*found} : LiveUsageList{})));
  }
  return views;
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
    std::string state(unhealthy ? to_string(agent.health) : to_string(view.shown_state()));
    if (!agent.degraded.empty()) state += ", weaker";
    if (agent.definition.sandbox.learn) state += ", learning";
    const uint64_t failed = view.tasks.failed + view.tasks.timed_out;
    table.add({agent.definition.id,
               {state, unhealthy                 ? Colour::red
                       : !agent.degraded.empty() ? Colour::yellow
                                                 : colour_of(view.shown_state())},
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
    facts.add("isolation",
              std::string(to_string(definition.isolation)) +
                  (definition.sandbox.root.empty() ? "" : " of " + definition.sandbox.root));
    facts.add("limits", limits_in_words(definition.limits));
    if (!definition.sandbox.egress.empty())
      facts.add("egress", join(definition.sandbox.egress, ", "));
    if (definition.sandbox.learn)
      facts.add("learning",
                "sees the host's files and public hosts; see: fabric learned " + definition.id,
                Colour::yellow);
    for (const std::string& weaker : view.agent.degraded)
      facts.add("weaker", weaker, Colour::yellow);
  }
  if (!definition.user.empty()) facts.add("user", definition.user);
  if (!definition.labels.empty()) facts.add("labels", pairs_in_words(definition.labels));
  if (view.agent.pid > 0) facts.add("pid", std::to_string(view.agent.pid));
  facts.add("spawned", human(view.agent.spawned_at, now));
  facts.add("tasks", counts_in_words(view.tasks));
  if (definition.limits.disk_bytes != 0 && definition.kind != AgentKind::external)
    facts.add("work directory", disk_in_words(view));
  if (view.usage) add_use(facts, *view.usage);
  return facts.to_text();
}

}  // namespace fabric::cmd
