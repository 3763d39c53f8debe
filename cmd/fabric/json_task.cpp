// SPDX-License-Identifier: Apache-2.0
// Tasks and recurring tasks in JSON.
#include "fabric/json_views.hpp"
#include "fabric/json_write.hpp"

namespace fabric::cmd {
namespace {

void write_retries(Writer& w, const Task& task) {
  w.begin_object().field("limit", task.retry.limit).field("used", task.retries);
  w.field("backoff", to_string(task.retry.backoff)).key("on");
  const bool by_default = task.retry.limit > 0 && task.retry.on.empty();
  write_list(w,
             by_default ? std::vector<std::string>{"failed", "timed_out", "lost"} : task.retry.on);
  w.end_object();
}

void write_slots(Writer& w, const Slots& slots) {
  w.begin_object();
  for (const auto& [label, count] : slots) w.field(label, count);
  w.end_object();
}

// Sorted: the values of one key are neighbours.
void write_require(Writer& w, const Requirements& require) {
  w.begin_object();
  for (size_t i = 0; i < require.size(); ++i) {
    if (i == 0 || require[i - 1].first != require[i].first) w.key(require[i].first).begin_array();
    w.string(require[i].second);
    if (i + 1 == require.size() || require[i + 1].first != require[i].first) w.end_array();
  }
  w.end_object();
}

// clang-format off
constexpr auto k_task = std::to_array<JsonField<Task>>({
    {"id", "Its id.", [](Writer& w, const Task& t) { w.string(t.id); }},
    {"agent", "The agent it is for; null when it requires one and none has taken it yet.", [](Writer& w, const Task& t) { write_text(w, t.agent); }},
    {"type", "What kind of task its submitter called it; null when not said.",
     [](Writer& w, const Task& t) { write_text(w, t.type); }},
    {"state", "pending, running, completed, failed, cancelled or timed_out. The last four never change.",
     [](Writer& w, const Task& t) { w.string(to_string(t.state)); }},
    {"reason", "Why it is in that state: queued, dependency, not_before, exclusive; exit, signal, memory, not_started, error, lost, reference, disk, file_size; timeout, no_progress, deadline, queue_ttl; user or agent_gone; null when there is nothing to say.",
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
    {"after", "When it starts: success (all of depends_on completed), finish (all ended) or any (one completed).",
     [](Writer& w, const Task& t) { w.string(to_string(t.after)); }},
    {"deadline", "When it must have ended, or null.", [](Writer& w, const Task& t) { write_time(w, t.deadline); }},
    {"start_at", "When it may start at the earliest, or null.", [](Writer& w, const Task& t) { write_time(w, t.start_at); }},
    {"no_progress_timeout_seconds", "How long it may run without a sign of progress; null without limit.",
     [](Writer& w, const Task& t) { write_seconds(w, t.no_progress_timeout); }},
    {"queue_ttl_seconds", "How long it may wait for its first start; null without limit.",
     [](Writer& w, const Task& t) { write_seconds(w, t.queue_ttl); }},
    {"retries", "limit, used, backoff (as --backoff takes it) and on (what is retried).",
     [](Writer& w, const Task& t) { write_retries(w, t); }},
    {"slots", "Slots that it takes while it runs, by label.", [](Writer& w, const Task& t) { write_slots(w, t.slots); }},
    {"share", "The share group that it counts for.", [](Writer& w, const Task& t) { write_text(w, t.share); }},
    {"exclusive", "No other task with this key runs at the same time; or null.",
     [](Writer& w, const Task& t) { write_text(w, t.exclusive); }},
    {"group", "The group that it belongs to, or null.", [](Writer& w, const Task& t) { write_text(w, t.group); }},
    {"require", "What its agent must have: a list of values for each key.",
     [](Writer& w, const Task& t) { write_require(w, t.require); }},
    {"not_before", "Of a pending task: when its start or its next attempt is due; or null.",
     [](Writer& w, const Task& t) { write_time(w, t.state == TaskState::pending ? t.not_before : WallTime{}); }},
    {"lease_until", "Until when an external agent has it; or null.",
     [](Writer& w, const Task& t) { write_time(w, t.lease_until); }},
    {"dead", "true when it ended badly with no retry left, and nobody has dealt with it.",
     [](Writer& w, const Task& t) { w.boolean(t.dead); }},
    {"retried_as", "Id of the task that repeats it, or null.", [](Writer& w, const Task& t) { write_text(w, t.retried_as); }},
    {"retry_of", "Id of the task that it repeats, or null.", [](Writer& w, const Task& t) { write_text(w, t.retry_of); }},
});


constexpr auto k_recurring = std::to_array<JsonField<Recurring>>({
    {"id", "Its id; its runs have the id ID.TIME.", [](Writer& w, const Recurring& r) { w.string(r.id); }},
    {"every", "When it runs, as --every took it.", [](Writer& w, const Recurring& r) { w.string(r.every); }},
    {"timezone", "The time zone in which that is meant.", [](Writer& w, const Recurring& r) { write_text(w, r.timezone); }},
    {"missed", "What becomes of missed runs: skip, once or all.", [](Writer& w, const Recurring& r) { w.string(to_string(r.missed)); }},
    {"next_run", "When it runs next, or null.", [](Writer& w, const Recurring& r) { write_time(w, r.due); }},
    {"last_run", "When the last run was due that was scheduled, or null.", [](Writer& w, const Recurring& r) { write_time(w, r.last_run); }},
    {"runs", "How many runs were scheduled.", [](Writer& w, const Recurring& r) { write_count(w, r.runs); }},
    {"missed_runs", "How many runs were missed.", [](Writer& w, const Recurring& r) { write_count(w, r.missed_runs); }},
    {"detail", "Why the last run could not be scheduled, or null.", [](Writer& w, const Recurring& r) { write_text(w, r.detail); }},
    {"task", "The task, as a line of a batch.", [](Writer& w, const Recurring& r) { r.line.empty() ? w.null() : w.raw(r.line); }},
    {"created_at", "When it was added.", [](Writer& w, const Recurring& r) { write_time(w, r.created_at); }},
    {"user", "Who added it.", [](Writer& w, const Recurring& r) { write_text(w, r.user); }},
    {"correlation_id", "Carried to every run.", [](Writer& w, const Recurring& r) { write_text(w, r.correlation_id); }},
});
// clang-format on

constexpr FieldDoc k_attempts{
    "attempts",
    "Its earlier attempts, and answers that came too late (late is true): number, agent, state, "
    "reason, detail, started_at, ended_at, exit_code, signal and late."};

void write_attempts(Writer& w, const std::vector<Attempt>& attempts) {
  w.begin_array();
  for (const Attempt& attempt : attempts) {
    w.begin_object().field("number", attempt.number).field_or_null("agent", attempt.agent);
    w.field("state", to_string(attempt.state));
    w.field_or_null("reason", to_string(attempt.reason)).field_or_null("detail", attempt.detail);
    w.key("started_at");
    write_time(w, attempt.started_at);
    w.key("ended_at");
    write_time(w, attempt.ended_at);
    w.key("exit_code");
    write_number(w, attempt.exit_code);
    w.key("signal");
    write_number(w, attempt.signal);
    w.field("late", attempt.late).end_object();
  }
  w.end_array();
}

}  // namespace

JsonShape task_shape() { return shape_of<k_task>(); }
JsonShape recurring_shape() { return shape_of<k_recurring>(); }
JsonShape task_detail_shape() {
  return {k_task.size() + 1, [](size_t i) {
            return i < k_task.size() ? FieldDoc{k_task[i].name, k_task[i].help} : k_attempts;
          }};
}

std::string task_json(const JsonChoice& choice, const Task& task) {
  return choice.object(k_task, task);
}

std::string task_detail_json(const JsonChoice& choice, const TaskDetail& detail) {
  std::string text = choice.object(k_task, detail.task);
  if (!choice.includes(k_attempts.name)) return text;
  Writer attempts;
  write_attempts(attempts, detail.attempts);
  text.pop_back();
  if (text.size() > 1) text += ',';
  return text + "\"attempts\":" + attempts.take() + "}";
}

std::string recurring_json(const JsonChoice& choice, const Recurring& recurring) {
  return choice.object(k_recurring, recurring);
}

}  // namespace fabric::cmd
