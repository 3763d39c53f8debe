// SPDX-License-Identifier: Apache-2.0
#include "fabric/json_views.hpp"

#include "fabric/json_write.hpp"

namespace fabric::cmd {
namespace {

// clang-format off
constexpr auto k_agent = std::to_array<JsonField<AgentView>>({
    {"id", "Its id.", [](Writer& w, const AgentView& v) { w.string(v.agent.definition.id); }},
    {"state", "starting, ready, busy (it has running tasks), stopping, stopped or failed.",
     [](Writer& w, const AgentView& v) { w.string(to_string(v.shown_state())); }},
    {"health", "healthy, unhealthy or unknown.", [](Writer& w, const AgentView& v) { w.string(to_string(v.agent.health)); }},
    {"detail", "Why it is failed or unhealthy, or null.", [](Writer& w, const AgentView& v) { write_text(w, v.agent.detail); }},
    {"kind", "exec (a process per task), worker (one process that takes task after task) or external (it claims its tasks by itself).",
     [](Writer& w, const AgentView& v) { w.string(to_string(v.agent.definition.kind)); }},
    {"command", "The command and its arguments; empty for an external agent.", [](Writer& w, const AgentView& v) { write_list(w, v.agent.definition.command); }},
    {"model", "The model it was given, or null.", [](Writer& w, const AgentView& v) { write_text(w, v.agent.definition.model); }},
    {"tools", "The tools it was given.", [](Writer& w, const AgentView& v) { write_list(w, v.agent.definition.tools); }},
    {"isolation", "none, process or container.", [](Writer& w, const AgentView& v) { w.string(to_string(v.agent.definition.isolation)); }},
    {"limits", "memory_bytes, cpu_cores, pids, nofile, file_size_bytes, disk_bytes, tmp_bytes, shm_bytes, output_rate and egress_rate (bytes a second) and io_weight; null where none is set.",
     [](Writer& w, const AgentView& v) { write_limits(w, v.agent.definition.limits); }},
    {"user", "Whose agent it is.", [](Writer& w, const AgentView& v) { write_text(w, v.agent.definition.user); }},
    {"labels", "Keys and values given to it.", [](Writer& w, const AgentView& v) { write_pairs(w, v.agent.definition.labels); }},
    {"env", "Names of the environment variables set for it; never their values.",
     [](Writer& w, const AgentView& v) {
       w.begin_array();
       for (const auto& entry : v.agent.definition.env) w.string(entry.first);
       w.end_array();
     }},
    {"max_concurrent_tasks", "How many of its tasks may run at once.",
     [](Writer& w, const AgentView& v) { w.integer(v.agent.definition.max_concurrent_tasks); }},
    {"max_queue_depth", "How many tasks may wait for it; null without limit.",
     [](Writer& w, const AgentView& v) { write_limit(w, v.agent.definition.max_queue_depth); }},
    {"pool", "The pool whose slots its tasks share, or null.", [](Writer& w, const AgentView& v) { write_text(w, v.agent.definition.pool); }},
    {"timeout_seconds", "Default running time of its tasks; null without limit.",
     [](Writer& w, const AgentView& v) { write_seconds(w, v.agent.definition.timeout); }},
    {"pid", "Process id of its sandbox's init, or null when it has no sandbox.",
     [](Writer& w, const AgentView& v) { write_limit(w, v.agent.pid > 0 ? static_cast<uint64_t>(v.agent.pid) : 0); }},
    {"spawned_at", "When it was spawned.", [](Writer& w, const AgentView& v) { write_time(w, v.agent.spawned_at); }},
    {"started_at", "When its sandbox was made, or null.", [](Writer& w, const AgentView& v) { write_time(w, v.agent.started_at); }},
    {"last_heartbeat_at", "When it was last heard of, or null.", [](Writer& w, const AgentView& v) { write_time(w, v.agent.last_heartbeat_at); }},
    {"restarts", "How often its sandbox was made again.", [](Writer& w, const AgentView& v) { w.integer(v.agent.restarts); }},
    {"tasks", "Its tasks, counted by state.", [](Writer& w, const AgentView& v) { write_counts(w, v.tasks); }},
    {"memory_bytes", "Memory its sandbox holds now; null when not known.",
     [](Writer& w, const AgentView& v) { v.usage ? write_count(w, v.usage->memory_bytes) : static_cast<void>(w.null()); }},
    {"cpu_seconds", "Processor time of its sandbox since it was made; null when not known.",
     [](Writer& w, const AgentView& v) { v.usage ? w.number(v.usage->cpu_seconds) : w.null(); }},
    {"pids", "Processes in its sandbox now; null when not known.",
     [](Writer& w, const AgentView& v) { v.usage ? write_count(w, v.usage->pids) : static_cast<void>(w.null()); }},
    {"cpu_throttled_seconds", "Time that its processors stood still because of the cpu limit; null when not known.",
     [](Writer& w, const AgentView& v) { v.usage ? w.number(v.usage->cpu_throttled_seconds) : w.null(); }},
    {"pids_refused", "Processes that the pids limit refused it; null when not known.",
     [](Writer& w, const AgentView& v) { v.usage ? write_count(w, v.usage->pids_refused) : static_cast<void>(w.null()); }},
    {"io_read_bytes", "Read from disks by its sandbox; null when not known.",
     [](Writer& w, const AgentView& v) { v.usage ? write_count(w, v.usage->io_read_bytes) : static_cast<void>(w.null()); }},
    {"io_written_bytes", "Written to disks by its sandbox; null when not known.",
     [](Writer& w, const AgentView& v) { v.usage ? write_count(w, v.usage->io_written_bytes) : static_cast<void>(w.null()); }},
    {"net_received_bytes", "Received through its own network, the loopback included; null when not known.",
     [](Writer& w, const AgentView& v) { write_maybe(w, v.usage ? v.usage->net_received_bytes : std::nullopt); }},
    {"net_sent_bytes", "Sent through its own network; null when not known.",
     [](Writer& w, const AgentView& v) { write_maybe(w, v.usage ? v.usage->net_sent_bytes : std::nullopt); }},
    {"disk_bytes", "What its work directory held when it was last measured; null when not known.",
     [](Writer& w, const AgentView& v) { write_maybe(w, v.usage ? v.usage->disk_bytes : std::nullopt); }},
    {"disk_quota", "How the limit of its work directory is kept: project quota (the file system refuses what is beyond it) or watched (it is measured again and again, and what runs over it ends); null without one.",
     [](Writer& w, const AgentView& v) { write_text(w, v.agent.disk_quota); }},
    {"degraded", "What of its sandbox is weaker than asked for, with causes; empty when nothing is.", [](Writer& w, const AgentView& v) { write_list(w, v.agent.degraded); }},
    {"egress", "The rules in force of where it may connect to.", [](Writer& w, const AgentView& v) { write_list(w, v.agent.definition.sandbox.egress); }},
    {"learning", "Whether what it needs is recorded, in a sandbox that shows it more of the host; see fabric-learned(1).",
     [](Writer& w, const AgentView& v) { w.boolean(v.agent.definition.sandbox.learn); }},
});

void write_supervisor(Writer& w, const SupervisorStatus& s) {
  w.begin_object().field("state", s.running ? "running" : "stopped");
  w.key("pid");
  s.running ? w.integer(s.record.pid) : w.null();
  w.key("since");
  s.running ? write_time(w, s.record.since) : static_cast<void>(w.null());
  w.key("version");
  s.running ? write_text(w, s.record.version) : static_cast<void>(w.null());
  w.end_object();
}

void write_ready(Writer& w, const StatusView& v) {
  if (!v.ready) {
    w.null();
    return;
  }
  w.begin_object();
  for (int i = 0; i < k_priority_levels; ++i)
    w.field(to_string(static_cast<Priority>(i)), (*v.ready)[static_cast<size_t>(i)]);
  w.end_object();
}

void write_pauses(Writer& w, const std::vector<Pause>& pauses) {
  w.begin_array();
  for (const Pause& pause : pauses) {
    w.begin_object().field("kind", to_string(pause.kind)).field_or_null("name", pause.name);
    w.field_or_null("user", pause.user).key("since");
    write_time(w, pause.since);
    w.end_object();
  }
  w.end_array();
}

constexpr auto k_status = std::to_array<JsonField<StatusView>>({
    {"workspace", "Its directory.", [](Writer& w, const StatusView& v) { w.string(v.workspace); }},
    {"supervisor", "state (running or stopped), pid, since and version; null when stopped.",
     [](Writer& w, const StatusView& v) { write_supervisor(w, v.supervisor); }},
    {"agents", "One object for each agent, with the fields of fabric-agents(1).",
     [](Writer& w, const StatusView& v) {
       w.begin_array();
       for (const AgentView& agent : v.agents) w.raw(agent_json(JsonChoice(), agent));
       w.end_array();
     }},
    {"queue", "Tasks of the workspace, counted by state.", [](Writer& w, const StatusView& v) { write_counts(w, v.queue); }},
    {"ready", "Pending tasks that nothing holds back, counted by the priority at which they queue; null when more than 50,000 are pending.",
     [](Writer& w, const StatusView& v) { write_ready(w, v); }},
    {"pauses", "What takes no new tasks for now: kind (workspace, priority, agent or share), name, user and since.",
     [](Writer& w, const StatusView& v) { write_pauses(w, v.pauses); }},
    {"pressure", "What delays new starts now, in words; null when nothing does.",
     [](Writer& w, const StatusView& v) { write_text(w, v.supervisor.running ? v.supervisor.record.pressure : ""); }},
    {"recurring", "How many recurring tasks there are.", [](Writer& w, const StatusView& v) { write_count(w, v.recurring); }},
    {"dead", "How many tasks are in the dead-letter list.", [](Writer& w, const StatusView& v) { write_count(w, v.dead); }},
});

constexpr auto k_result = std::to_array<JsonField<ResultView>>({
    {"id", "The task's id.", [](Writer& w, const ResultView& v) { w.string(v.task.id); }},
    {"state", "The task's state.", [](Writer& w, const ResultView& v) { w.string(to_string(v.task.state)); }},
    {"exit_code", "Exit code of its process, or null.", [](Writer& w, const ResultView& v) { write_number(w, v.task.exit_code); }},
    {"signal", "Number of the signal that ended its process, or null.", [](Writer& w, const ResultView& v) { write_number(w, v.task.signal); }},
    {"result", "What it printed, or answered. Bytes that are not UTF-8 are replaced.",
     [](Writer& w, const ResultView& v) { w.string(v.text); }},
    {"result_bytes", "Size of the result.", [](Writer& w, const ResultView& v) { write_count(w, v.task.result_bytes); }},
    {"dropped_bytes", "Output beyond the agent's limit, which was not kept.", [](Writer& w, const ResultView& v) { write_count(w, v.task.dropped_bytes); }},
});
// clang-format on

}  // namespace

AgentState AgentView::shown_state() const {
  return agent.state == AgentState::ready && tasks.running > 0 ? AgentState::busy : agent.state;
}

JsonShape agent_shape() { return shape_of<k_agent>(); }
JsonShape status_shape() { return shape_of<k_status>(); }
JsonShape result_shape() { return shape_of<k_result>(); }

std::string agent_json(const JsonChoice& choice, const AgentView& view) {
  return choice.object(k_agent, view);
}
std::string status_json(const JsonChoice& choice, const StatusView& view) {
  return choice.object(k_status, view);
}
std::string result_json(const JsonChoice& choice, const ResultView& view) {
  return choice.object(k_result, view);
}

}  // namespace fabric::cmd
