// SPDX-License-Identifier: Apache-2.0
#include "store/codec.hpp"

#include <limits>

namespace fabric::store {
namespace {

using Pairs = google::protobuf::RepeatedPtrField<record::Pair>;
using Texts = google::protobuf::RepeatedPtrField<std::string>;

// Element by element, so that unknown fields inside a pair survive.
void put_pairs(const Metadata& pairs, Pairs& out) {
  while (out.size() > static_cast<int>(pairs.size())) out.RemoveLast();
  for (size_t i = 0; i < pairs.size(); ++i) {
    record::Pair* pair =
        static_cast<int>(i) < out.size() ? out.Mutable(static_cast<int>(i)) : out.Add();
    pair->set_key(pairs[i].first);
    pair->set_value(pairs[i].second);
  }
}

Metadata get_pairs(const Pairs& pairs) {
  Metadata out;
  out.reserve(static_cast<size_t>(pairs.size()));
  for (const record::Pair& pair : pairs) out.emplace_back(pair.key(), pair.value());
  return out;
}

void put_texts(const std::vector<std::string>& texts, Texts& out) {
  out.Clear();
  for (const std::string& text : texts) *out.Add() = text;
}

std::vector<std::string> get_texts(const Texts& texts) { return {texts.begin(), texts.end()}; }

// A number of an enumeration whose last value is `last`.
template <class E>
bool get_enum(uint32_t number, E last, E& out) {
  if (number > static_cast<uint32_t>(last)) return false;
  out = static_cast<E>(number);
  return true;
}

tl::unexpected<Error> fail_unknown(const char* what, uint32_t number) {
  return fail(ErrorCode::failed, std::string("unknown ") + what + " " + std::to_string(number));
}

void put_usage(const Usage& usage, record::Task& r) {
  if (usage == Usage{}) return r.clear_usage();
  r.mutable_usage()->set_requests(usage.requests);
  r.mutable_usage()->set_input_tokens(usage.input_tokens);
  r.mutable_usage()->set_output_tokens(usage.output_tokens);
  r.mutable_usage()->set_cost_microusd(usage.cost_microusd);
}

void put_retry(const RetryPolicy& retry, record::Task& r) {
  if (retry == RetryPolicy{}) return r.clear_retry();
  record::Retry& out = *r.mutable_retry();
  out.set_limit(retry.limit);
  out.set_exponential(retry.backoff.exponential);
  out.set_first_ns(retry.backoff.first.ns);
  out.set_most_ns(retry.backoff.most.ns);
  put_texts(retry.on, *out.mutable_on());
}

RetryPolicy get_retry(const record::Retry& r) {
  return {r.limit(), {r.exponential(), {r.first_ns()}, {r.most_ns()}}, get_texts(r.on())};
}

void put_slots(const Slots& slots, record::Task& r) {
  r.clear_slots();
  for (const auto& [label, count] : slots) {
    record::Slot& slot = *r.add_slots();
    slot.set_label(label);
    slot.set_count(count);
  }
}

// What the scheduler needs, beyond what every task has.
void put_scheduling(const Task& task, record::Task& r) {
  r.set_after(static_cast<uint32_t>(task.after));
  r.set_no_progress_ns(task.no_progress_timeout.ns);
  r.set_queue_ttl_ns(task.queue_ttl.ns);
  r.set_deadline_us(task.deadline.us);
  r.set_start_at_us(task.start_at.us);
  put_retry(task.retry, r);
  put_slots(task.slots, r);
  r.set_share(task.share);
  r.set_exclusive(task.exclusive);
  r.set_group(task.group);
  put_pairs(task.require, *r.mutable_require());
  r.set_retries(task.retries);
  r.set_queue(task.lane.queue);
  r.set_share_number(task.lane.share);
  r.set_level(static_cast<uint32_t>(task.lane.level));
  r.set_slot_class(task.lane.slot_class);
  r.set_not_before_us(task.not_before.us);
  r.set_lease_until_us(task.lease_until.us);
  r.set_dead(task.dead);
  r.set_retried_as(task.retried_as);
  r.set_retry_of(task.retry_of);
}

Status get_scheduling(const record::Task& r, Task& task) {
  if (!get_enum(r.after(), AfterPolicy::any, task.after))
    return fail_unknown("dependency policy", r.after());
  if (!get_enum(r.level(), Priority::low, task.lane.level)) return fail_unknown("level", r.level());
  task.no_progress_timeout.ns = r.no_progress_ns();
  task.queue_ttl.ns = r.queue_ttl_ns();
  task.deadline.us = r.deadline_us();
  task.start_at.us = r.start_at_us();
  if (r.has_retry()) task.retry = get_retry(r.retry());
  for (const record::Slot& slot : r.slots()) task.slots.emplace_back(slot.label(), slot.count());
  task.share = r.share().empty() ? r.user() : r.share();  // schema 1 had no shares
  task.exclusive = r.exclusive();
  task.group = r.group();
  task.require = get_pairs(r.require());
  task.retries = r.retries();
  task.lane.queue = r.queue();
  task.lane.share = r.share_number();
  task.lane.slot_class = r.slot_class();
  task.not_before.us = r.not_before_us();
  task.lease_until.us = r.lease_until_us();
  task.dead = r.dead();
  task.retried_as = r.retried_as();
  task.retry_of = r.retry_of();
  return {};
}

}  // namespace

void put_task(const Task& task, record::Task& r) {
  r.set_id(task.id);
  r.set_agent(task.agent);
  r.set_state(static_cast<uint32_t>(task.state));
  r.set_priority(static_cast<uint32_t>(task.priority));
  r.set_type(task.type);
  put_pairs(task.metadata, *r.mutable_metadata());
  put_texts(task.depends_on, *r.mutable_depends_on());
  r.set_timeout_ns(task.timeout.ns);
  r.set_user(task.user);
  r.set_correlation_id(task.correlation_id);
  r.set_traceparent(task.traceparent);
  r.set_reason(static_cast<uint32_t>(task.reason));
  r.set_detail(task.detail);
  r.set_waiting_on(task.waiting_on);
  r.set_attempt(task.attempt);
  r.set_attempt_id(task.attempt_id);
  r.set_lost_attempts(task.lost_attempts);
  r.set_created_at_us(task.created_at.us);
  r.set_started_at_us(task.started_at.us);
  r.set_finished_at_us(task.finished_at.us);
  task.exit_code ? r.set_exit_code(*task.exit_code) : r.clear_exit_code();
  task.signal ? r.set_signal(*task.signal) : r.clear_signal();
  r.set_result_bytes(task.result_bytes);
  r.set_stderr_bytes(task.stderr_bytes);
  r.set_dropped_bytes(task.dropped_bytes);
  r.set_cpu_ns(task.cpu.ns);
  r.set_memory_peak_bytes(task.memory_peak_bytes);
  put_usage(task.usage, r);
  put_scheduling(task, r);
}

Result<Task> get_task(const record::Task& r) {
  Task task;
  if (!get_enum(r.state(), TaskState::timed_out, task.state))
    return fail_unknown("task state", r.state());
  if (!get_enum(r.priority(), Priority::low, task.priority))
    return fail_unknown("priority", r.priority());
  if (!get_enum(r.reason(), k_last_reason, task.reason)) return fail_unknown("reason", r.reason());
  task.id = r.id();
  task.agent = r.agent();
  task.type = r.type();
  task.payload = r.payload();
  task.metadata = get_pairs(r.metadata());
  task.depends_on = get_texts(r.depends_on());
  task.timeout.ns = r.timeout_ns();
  task.user = r.user();
  task.correlation_id = r.correlation_id();
  task.traceparent = r.traceparent();
  task.detail = r.detail();
  task.waiting_on = r.waiting_on();
  task.attempt = r.attempt();
  task.attempt_id = r.attempt_id();
  task.lost_attempts = r.lost_attempts();
  task.created_at.us = r.created_at_us();
  task.started_at.us = r.started_at_us();
  task.finished_at.us = r.finished_at_us();
  if (r.has_exit_code()) task.exit_code = r.exit_code();
  if (r.has_signal()) task.signal = r.signal();
  task.result_bytes = r.result_bytes();
  task.stderr_bytes = r.stderr_bytes();
  task.dropped_bytes = r.dropped_bytes();
  task.cpu.ns = r.cpu_ns();
  task.memory_peak_bytes = r.memory_peak_bytes();
  task.usage = {r.usage().requests(), r.usage().input_tokens(), r.usage().output_tokens(),
                r.usage().cost_microusd()};
  TRY_STATUS(get_scheduling(r, task));
  return task;
}

void put_result(const TaskResult& result, record::TaskResult& r) {
  r.set_head(result.head);
  r.set_cut(!result.whole);
}

TaskResult get_result(const record::TaskResult& r) { return {r.head(), !r.cut()}; }

static void put_sandbox(const AgentDefinition& d, record::Sandbox& r) {
  const SandboxOptions& s = d.sandbox;
  r.set_nofile(d.limits.nofile);
  r.set_file_size_bytes(d.limits.file_size_bytes);
  r.set_disk_bytes(d.limits.disk_bytes);
  r.set_tmp_bytes(d.limits.tmp_bytes);
  r.set_shm_bytes(d.limits.shm_bytes);
  r.set_output_rate(d.limits.output_rate);
  r.set_io_weight(d.limits.io_weight);
  r.set_root(s.root);
  r.set_work(s.work);
  r.set_seccomp(s.seccomp);
  r.set_protect_git(s.protect_git);
  r.set_publish_allowed(s.publish_allowed);
  r.set_degrade(s.degrade);
  put_texts(d.egress_given, *r.mutable_egress_given());
  r.set_learn(s.learn);
  r.set_egress_rate(d.limits.egress_rate);
  r.clear_lists();
  for (const SandboxList& list : sandbox_lists()) {
    if ((s.*list.member).empty()) continue;
    record::SandboxRules& rules = *r.add_lists();
    rules.set_key(std::string(list.key));
    put_texts(s.*list.member, *rules.mutable_rules());
  }
}

static void get_sandbox(const record::Sandbox& r, AgentDefinition& d) {
  SandboxOptions& s = d.sandbox;
  d.limits.nofile = r.nofile();
  d.limits.file_size_bytes = r.file_size_bytes();
  d.limits.disk_bytes = r.disk_bytes();
  d.limits.tmp_bytes = r.tmp_bytes();
  d.limits.shm_bytes = r.shm_bytes();
  d.limits.output_rate = r.output_rate();
  d.limits.io_weight = r.io_weight();
  s.root = r.root();
  s.work = r.work();
  s.seccomp = r.seccomp();
  s.protect_git = r.protect_git();
  s.publish_allowed = r.publish_allowed();
  s.degrade = r.degrade();
  d.egress_given = get_texts(r.egress_given());
  s.learn = r.learn();
  d.limits.egress_rate = r.egress_rate();
  for (const record::SandboxRules& rules : r.lists())
    for (const SandboxList& list : sandbox_lists())
      if (rules.key() == list.key) s.*list.member = get_texts(rules.rules());
}

void put_agent(const Agent& agent, record::Agent& r) {
  const AgentDefinition& d = agent.definition;
  r.set_id(d.id);
  r.set_number(agent.number);
  r.set_kind(static_cast<uint32_t>(d.kind));
  put_texts(d.command, *r.mutable_command());
  r.set_model(d.model);
  put_texts(d.tools, *r.mutable_tools());
  r.set_isolation(static_cast<uint32_t>(d.isolation));
  r.set_memory_bytes(d.limits.memory_bytes);
  r.set_cpu_millicores(d.limits.cpu_millicores);
  r.set_pids(d.limits.pids);
  r.set_user(d.user);
  put_pairs(d.labels, *r.mutable_labels());
  put_pairs(d.env, *r.mutable_env());
  r.set_max_concurrent_tasks(d.max_concurrent_tasks);
  r.set_max_queue_depth(d.max_queue_depth);
  r.set_pool(d.pool);
  r.set_timeout_ns(d.timeout.ns);
  r.set_grace_ns(d.grace.ns);
  r.set_max_output_bytes(d.max_output_bytes);
  r.set_state(static_cast<uint32_t>(agent.state));
  r.set_health(static_cast<uint32_t>(agent.health));
  r.set_detail(agent.detail);
  r.set_generation(agent.generation);
  r.set_pid(agent.pid);
  r.set_pid_start_time(agent.pid_start_time);
  r.set_boot_id(agent.boot_id);
  r.set_cgroup(agent.cgroup);
  r.set_spawned_at_us(agent.spawned_at.us);
  r.set_started_at_us(agent.started_at.us);
  r.set_last_heartbeat_at_us(agent.last_heartbeat_at.us);
  r.set_restarts(agent.restarts);
  put_sandbox(d, *r.mutable_sandbox());
  put_texts(agent.degraded, *r.mutable_degraded());
  r.set_disk_quota(agent.disk_quota);
}

Result<Agent> get_agent(const record::Agent& r) {
  Agent agent;
  AgentDefinition& d = agent.definition;
  if (!get_enum(r.kind(), AgentKind::external, d.kind)) return fail_unknown("kind", r.kind());
  if (!get_enum(r.isolation(), IsolationLevel::container, d.isolation))
    return fail_unknown("isolation level", r.isolation());
  if (!get_enum(r.state(), AgentState::failed, agent.state))
    return fail_unknown("agent state", r.state());
  if (!get_enum(r.health(), Health::unhealthy, agent.health))
    return fail_unknown("health", r.health());
  if (r.pid() < 0 || r.pid() > std::numeric_limits<pid_t>::max())
    return fail(ErrorCode::failed, "pid out of range");
  d.id = r.id();
  agent.number = r.number();
  d.command = get_texts(r.command());
  d.model = r.model();
  d.tools = get_texts(r.tools());
  d.limits.memory_bytes = r.memory_bytes();
  d.limits.cpu_millicores = r.cpu_millicores();
  d.limits.pids = r.pids();
  if (r.has_sandbox()) get_sandbox(r.sandbox(), d);
  d.user = r.user();
  d.labels = get_pairs(r.labels());
  d.env = get_pairs(r.env());
  d.max_concurrent_tasks = r.max_concurrent_tasks();
  d.max_queue_depth = r.max_queue_depth();
  d.pool = r.pool();
  d.timeout.ns = r.timeout_ns();
  d.grace.ns = r.grace_ns();
  d.max_output_bytes = r.max_output_bytes();
  agent.detail = r.detail();
  agent.generation = r.generation();
  agent.pid = static_cast<pid_t>(r.pid());
  agent.pid_start_time = r.pid_start_time();
  agent.boot_id = r.boot_id();
  agent.cgroup = r.cgroup();
  agent.spawned_at.us = r.spawned_at_us();
  agent.started_at.us = r.started_at_us();
  agent.last_heartbeat_at.us = r.last_heartbeat_at_us();
  agent.restarts = r.restarts();
  agent.degraded = get_texts(r.degraded());
  agent.disk_quota = r.disk_quota();
  return agent;
}

void put_counts(const TaskCounts& counts, record::Counts& r) {
  r.set_pending(counts.pending);
  r.set_running(counts.running);
  r.set_completed(counts.completed);
  r.set_failed(counts.failed);
  r.set_cancelled(counts.cancelled);
  r.set_timed_out(counts.timed_out);
}

TaskCounts get_counts(const record::Counts& r) {
  return {r.pending(), r.running(), r.completed(), r.failed(), r.cancelled(), r.timed_out()};
}

void put_supervisor(const SupervisorRecord& supervisor, record::Supervisor& r) {
  r.set_pid(supervisor.pid);
  r.set_pid_start_time(supervisor.pid_start_time);
  r.set_boot_id(supervisor.boot_id);
  r.set_since_us(supervisor.since.us);
  r.set_version(supervisor.version);
  r.set_pressure(supervisor.pressure);
  r.set_pressure_degree(supervisor.pressure_degree);
}

SupervisorRecord get_supervisor(const record::Supervisor& r) {
  return {r.pid(),     r.pid_start_time(), r.boot_id(),        WallTime{r.since_us()},
          r.version(), r.pressure(),       r.pressure_degree()};
}

}  // namespace fabric::store
