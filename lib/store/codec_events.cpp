// SPDX-License-Identifier: Apache-2.0
// Records beside tasks and agents: attempts, events, violations, recurring tasks, pauses.
#include "store/codec.hpp"

namespace fabric::store {
namespace {

template <class E>
Status get_enum(const char* what, uint32_t number, E last, E& out) {
  if (number > static_cast<uint32_t>(last))
    return fail(ErrorCode::failed, std::string("unknown ") + what + " " + std::to_string(number));
  out = static_cast<E>(number);
  return {};
}

}  // namespace

void put_attempt(const Attempt& attempt, record::Attempt& r) {
  r.set_attempt_id(attempt.attempt_id);
  r.set_agent(attempt.agent);
  r.set_started_at_us(attempt.started_at.us);
  r.set_ended_at_us(attempt.ended_at.us);
  r.set_state(static_cast<uint32_t>(attempt.state));
  r.set_reason(static_cast<uint32_t>(attempt.reason));
  r.set_detail(attempt.detail);
  attempt.exit_code ? r.set_exit_code(*attempt.exit_code) : r.clear_exit_code();
  attempt.signal ? r.set_signal(*attempt.signal) : r.clear_signal();
  r.set_cpu_ns(attempt.cpu.ns);
  r.set_memory_peak_bytes(attempt.memory_peak_bytes);
}

Result<Attempt> get_attempt(const record::Attempt& r) {
  Attempt attempt;
  TRY_STATUS(get_enum("task state", r.state(), TaskState::timed_out, attempt.state));
  TRY_STATUS(get_enum("reason", r.reason(), k_last_reason, attempt.reason));
  attempt.attempt_id = r.attempt_id();
  attempt.agent = r.agent();
  attempt.started_at.us = r.started_at_us();
  attempt.ended_at.us = r.ended_at_us();
  attempt.detail = r.detail();
  if (r.has_exit_code()) attempt.exit_code = r.exit_code();
  if (r.has_signal()) attempt.signal = r.signal();
  attempt.cpu.ns = r.cpu_ns();
  attempt.memory_peak_bytes = r.memory_peak_bytes();
  return attempt;
}

void put_event(const Event& event, record::Event& r) {
  r.set_kind(static_cast<uint32_t>(event.kind));
  r.set_at_us(event.at.us);
  r.set_task(event.task);
  r.set_agent(event.agent);
  r.set_group(event.group);
  r.set_task_sequence(event.task_sequence);
  r.set_attempt(event.attempt);
  r.set_state(static_cast<uint32_t>(event.state));
  r.set_reason(static_cast<uint32_t>(event.reason));
  r.set_detail(event.detail);
}

Result<Event> get_event(const record::Event& r) {
  Event event;
  TRY_STATUS(get_enum("kind of event", r.kind(), k_last_event_kind, event.kind));
  TRY_STATUS(get_enum("task state", r.state(), TaskState::timed_out, event.state));
  TRY_STATUS(get_enum("reason", r.reason(), k_last_reason, event.reason));
  event.at.us = r.at_us();
  event.task = r.task();
  event.agent = r.agent();
  event.group = r.group();
  event.task_sequence = r.task_sequence();
  event.attempt = r.attempt();
  event.detail = r.detail();
  return event;
}

void put_violation(const Violation& v, record::Violation& r) {
  r.set_at_us(v.at.us);
  r.set_last_at_us(v.last_at.us);
  r.set_count(v.count);
  r.set_agent(v.agent);
  r.set_task(v.task);
  r.set_attempt_id(v.attempt_id);
  r.set_pid(v.pid);
  r.set_process(v.process);
  r.set_kind(static_cast<uint32_t>(v.kind));
  r.set_what(v.what);
  r.set_rule(v.rule);
  r.set_allow(v.allow);
  r.set_source(static_cast<uint32_t>(v.source));
  r.set_hint(v.hint);
}

Result<Violation> get_violation(const record::Violation& r) {
  Violation v;
  TRY_STATUS(get_enum("kind of violation", r.kind(), k_last_violation_kind, v.kind));
  TRY_STATUS(get_enum("source", r.source(), k_last_violation_source, v.source));
  v.at.us = r.at_us();
  v.last_at.us = r.last_at_us();
  v.count = r.count();
  v.agent = r.agent();
  v.task = r.task();
  v.attempt_id = r.attempt_id();
  v.pid = static_cast<pid_t>(r.pid());
  v.process = r.process();
  v.what = r.what();
  v.rule = r.rule();
  v.allow = r.allow();
  v.hint = r.hint();
  return v;
}

void put_recurring(const Recurring& recurring, record::Recurring& r) {
  r.set_id(recurring.id);
  r.set_every(recurring.every);
  r.set_timezone(recurring.timezone);
  r.set_missed(static_cast<uint32_t>(recurring.missed));
  r.set_line(recurring.line);
  r.set_user(recurring.user);
  r.set_correlation_id(recurring.correlation_id);
  r.set_created_at_us(recurring.created_at.us);
  r.set_due_us(recurring.due.us);
  r.set_last_run_us(recurring.last_run.us);
  r.set_runs(recurring.runs);
  r.set_missed_runs(recurring.missed_runs);
  r.set_detail(recurring.detail);
}

Result<Recurring> get_recurring(const record::Recurring& r) {
  Recurring recurring;
  TRY_STATUS(get_enum("policy", r.missed(), MissedRuns::all, recurring.missed));
  recurring.id = r.id();
  recurring.every = r.every();
  recurring.timezone = r.timezone();
  recurring.line = r.line();
  recurring.user = r.user();
  recurring.correlation_id = r.correlation_id();
  recurring.created_at.us = r.created_at_us();
  recurring.due.us = r.due_us();
  recurring.last_run.us = r.last_run_us();
  recurring.runs = r.runs();
  recurring.missed_runs = r.missed_runs();
  recurring.detail = r.detail();
  return recurring;
}

void put_pauses(const std::vector<Pause>& pauses, record::Pauses& r) {
  r.clear_pauses();
  for (const Pause& pause : pauses) {
    record::Pause& out = *r.add_pauses();
    out.set_kind(static_cast<uint32_t>(pause.kind));
    out.set_name(pause.name);
    out.set_user(pause.user);
    out.set_since_us(pause.since.us);
  }
}

Result<std::vector<Pause>> get_pauses(const record::Pauses& r) {
  std::vector<Pause> pauses;
  for (const record::Pause& in : r.pauses()) {
    Pause pause;
    TRY_STATUS(get_enum("kind of pause", in.kind(), PauseKind::share, pause.kind));
    pause.name = in.name();
    pause.user = in.user();
    pause.since.us = in.since_us();
    pauses.push_back(std::move(pause));
  }
  return pauses;
}

}  // namespace fabric::store
