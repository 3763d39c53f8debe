// SPDX-License-Identifier: Apache-2.0
#include "fabric/json_views.hpp"

namespace fabric::cmd {
namespace {

using json::Writer;

void write_time(Writer& w, WallTime t) { t.set() ? w.string(to_rfc3339(t)) : w.null(); }

void write_text(Writer& w, std::string_view text) { text.empty() ? w.null() : w.string(text); }

void write_number(Writer& w, std::optional<int> number) { number ? w.integer(*number) : w.null(); }

void write_count(Writer& w, uint64_t n) { w.integer(static_cast<int64_t>(n)); }

// 0 stands for "none" in durations and limits.
void write_seconds(Writer& w, Duration d) { d.ns == 0 ? w.null() : w.number(d.to_seconds()); }
void write_limit(Writer& w, uint64_t n) { n == 0 ? w.null() : w.integer(static_cast<int64_t>(n)); }

void write_list(Writer& w, const std::vector<std::string>& items) {
  w.begin_array();
  for (const std::string& item : items) w.string(item);
  w.end_array();
}

void write_pairs(Writer& w, const Metadata& pairs) {
  w.begin_object();
  for (const auto& [key, value] : pairs) w.field(key, value);
  w.end_object();
}

void write_counts(Writer& w, const TaskCounts& counts) {
  w.begin_object();
  for (int i = 0; i < k_task_states; ++i) {
    const auto state = static_cast<TaskState>(i);
    w.field(to_string(state), counts.of(state));
  }
  w.end_object();
}

void write_usage(Writer& w, const Usage& usage) {
  w.begin_object()
      .field("requests", usage.requests)
      .field("input_tokens", usage.input_tokens)
      .field("output_tokens", usage.output_tokens)
      .field("cost_microusd", usage.cost_microusd)
      .end_object();
}

void write_limits(Writer& w, const Limits& limits) {
  w.begin_object().key("memory_bytes");
  write_limit(w, limits.memory_bytes);
  w.key("cpu_cores");
  limits.cpu_millicores == 0 ? w.null() : w.number(limits.cpu_millicores / 1000.0);
  w.key("pids");
  write_limit(w, limits.pids);
  w.end_object();
}

// clang-format off
constexpr auto k_task = std::to_array<JsonField<Task>>({
    {"id", "Its id.", [](Writer& w, const Task& t) { w.string(t.id); }},
    {"agent", "The agent it is for.", [](Writer& w, const Task& t) { w.string(t.agent); }},
    {"type", "What kind of task its submitter called it; null when not said.",
     [](Writer& w, const Task& t) { write_text(w, t.type); }},
    {"state", "pending, running, completed, failed, cancelled or timed_out. The last four never change.",
     [](Writer& w, const Task& t) { w.string(to_string(t.state)); }},
    {"reason", "Why it is in that state: queued, dependency, exit, signal, memory, not_started, error, lost, timeout, user or agent_gone; null when there is nothing to say.",
     [](Writer& w, const Task& t) { write_text(w, to_string(t.reason)); }},
    {"detail", "The reason in words, or null.", [](Writer& w, const Task& t) { write_text(w, t.detail); }},
    {"priority", "critical, high, normal or low.", [](Writer& w, const Task& t) { w.string(to_string(t.priority)); }},
    {"created_at", "When it was scheduled.", [](Writer& w, const Task& t) { write_time(w, t.created_at); }},
    {"started_at", "When its last attempt started, or null.", [](Writer& w, const Task& t) { write_time(w, t.started_at); }},
    {"finished_at", "When it reached its last state, or null.", [](Writer& w, const Task& t) { write_time(w, t.finished_at); }},
    {"attempt", "Number of the attempt that runs or was the last; 0 before the first.", [](Writer& w, const Task& t) { w.integer(t.attempt); }},
    {"timeout_seconds", "Running time allowed to an attempt; null without limit.", [](Writer& w, const Task& t) { write_seconds(w, t.timeout); }},
    {"exit_code", "Exit code of its process, or null.", [](Writer& w, const Task& t) { write_number(w, t.exit_code); }},
    {"signal", "Number of the signal that ended its process, or null.", [](Writer& w, const Task& t) { write_number(w, t.signal); }},
    {"result_bytes", "Whole size of its result (what it printed, or answered).", [](Writer& w, const Task& t) { write_count(w, t.result_bytes); }},
    {"stderr_bytes", "Whole size of what it wrote to stderr.", [](Writer& w, const Task& t) { write_count(w, t.stderr_bytes); }},
    {"dropped_bytes", "Output beyond the agent's limit, which was not kept.", [](Writer& w, const Task& t) { write_count(w, t.dropped_bytes); }},
    {"metadata", "Keys and values given by its submitter.", [](Writer& w, const Task& t) { write_pairs(w, t.metadata); }},
    {"depends_on", "Ids of the tasks that must complete before it starts.", [](Writer& w, const Task& t) { write_list(w, t.depends_on); }},
    {"waiting_on", "How many of them have not completed yet.", [](Writer& w, const Task& t) { w.integer(t.waiting_on); }},
    {"payload", "Its input, as scheduled.", [](Writer& w, const Task& t) { w.raw(t.payload); }},
    {"user", "Who scheduled it.", [](Writer& w, const Task& t) { write_text(w, t.user); }},
    {"correlation_id", "Carried from the command that started the work to every task and log line of it.",
     [](Writer& w, const Task& t) { write_text(w, t.correlation_id); }},
    {"traceparent", "W3C trace context of the task.", [](Writer& w, const Task& t) { write_text(w, t.traceparent); }},
    {"cpu_seconds", "Processor time of its last attempt.", [](Writer& w, const Task& t) { w.number(t.cpu.to_seconds()); }},
    {"memory_peak_bytes", "Most memory its last attempt held at once; null when not measured.",
     [](Writer& w, const Task& t) { write_limit(w, t.memory_peak_bytes); }},
    {"usage", "What its agent reported: requests, input_tokens, output_tokens and cost_microusd.",
     [](Writer& w, const Task& t) { write_usage(w, t.usage); }},
});

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
    {"limits", "memory_bytes, cpu_cores and pids it may use; null without limit.",
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
     [](Writer& w, const AgentView& v) { v.usage ? w.integer(v.usage->pids) : w.null(); }},
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

JsonShape task_shape() { return shape_of<k_task>(); }
JsonShape agent_shape() { return shape_of<k_agent>(); }
JsonShape status_shape() { return shape_of<k_status>(); }
JsonShape result_shape() { return shape_of<k_result>(); }

std::string task_json(const JsonChoice& choice, const Task& task) {
  return choice.object(k_task, task);
}
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
