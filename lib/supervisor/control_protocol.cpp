// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control_protocol.hpp"

#include "base/id.hpp"
#include "model/command_template.hpp"

namespace fabric::control {
namespace {

using json::Value;
using json::Writer;

tl::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::usage, "malformed control message: " + std::string(what));
}

Result<std::string> need_string(const Value& object, std::string_view key) {
  auto text = json::get_string(object, key);
  if (!text) return malformed("'" + std::string(key) + "' must be a string");
  return std::string(*text);
}

Result<int64_t> need_int(const Value& object, std::string_view key, int64_t low, int64_t high) {
  auto number = json::get_int(object, key);
  if (!number || *number < low || *number > high)
    return malformed("'" + std::string(key) + "' must be an integer in range");
  return *number;
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

void write_pairs(Writer& w, std::string_view key, const Metadata& pairs) {
  w.key(key).begin_object();
  for (const auto& [name, value] : pairs) w.field(name, value);
  w.end_object();
}

Result<Metadata> need_pairs(const Value& object, std::string_view key) {
  const Value* member = json::find(object, key);
  if (!member || !member->IsObject())
    return malformed("'" + std::string(key) + "' must be an object");
  Metadata pairs;
  for (const auto& entry : member->GetObject()) {
    if (!entry.value.IsString()) return malformed("'" + std::string(key) + "' must hold strings");
    std::string name(json::text_of(entry.name)), value(json::text_of(entry.value));
    if (name.empty()) return malformed("'" + std::string(key) + "' has an empty name");
    if (has_nul(name) || has_nul(value)) return malformed("'" + std::string(key) + "' holds a NUL");
    for (const auto& [other, unused] : pairs)
      if (other == name) return malformed("'" + std::string(key) + "' has a name twice");
    pairs.emplace_back(std::move(name), std::move(value));
  }
  return pairs;
}

void write_strings(Writer& w, std::string_view key, const std::vector<std::string>& values) {
  w.key(key).begin_array();
  for (const std::string& value : values) w.string(value);
  w.end_array();
}

Result<std::vector<std::string>> need_strings(const Value& object, std::string_view key) {
  const Value* member = json::find(object, key);
  if (!member || !member->IsArray())
    return malformed("'" + std::string(key) + "' must be an array");
  std::vector<std::string> values;
  for (const Value& entry : member->GetArray()) {
    if (!entry.IsString()) return malformed("'" + std::string(key) + "' must hold strings");
    values.emplace_back(json::text_of(entry));
    if (has_nul(values.back())) return malformed("'" + std::string(key) + "' holds a NUL");
  }
  return values;
}

// 31 years: added to any clock it stays a number.
constexpr int64_t k_longest_ns = 1000000000000000000;

ErrorCode error_code(int64_t number) {
  bool known = (number >= 1 && number <= 10) || number == 130;
  return known ? static_cast<ErrorCode>(number) : ErrorCode::failed;
}

}  // namespace

Result<Call> decode_call(std::string_view line) {
  Call call;
  call.document = TRY(json::parse(line));
  if (!call.document.IsObject()) return malformed("not an object");
  call.id = TRY(need_int(call.document, "id", 0, INT64_MAX));
  call.method = TRY(need_string(call.document, "method"));
  const Value* params = call.params();
  if (params && !params->IsObject()) return malformed("'params' must be an object");
  return call;
}

std::string encode_call(int64_t id, std::string_view method, std::string_view params_json) {
  Writer w;
  w.begin_object().field("jsonrpc", "2.0").field("id", id).field("method", method);
  w.key("params").raw(params_json).end_object();
  return w.take() + '\n';
}

std::string encode_result(int64_t id, std::string_view result_json) {
  Writer w;
  w.begin_object()
      .field("jsonrpc", "2.0")
      .field("id", id)
      .key("result")
      .raw(result_json)
      .end_object();
  return w.take() + '\n';
}

std::string encode_error(int64_t id, const Error& error) {
  Writer w;
  w.begin_object().field("jsonrpc", "2.0").field("id", id).key("error").begin_object();
  w.field("code", static_cast<int>(error.code)).field("message", error.message);
  w.key("data").begin_object().field("hint", error.hint).end_object().end_object().end_object();
  return w.take() + '\n';
}

Result<Answer> decode_answer(int64_t id, std::string_view line) {
  Answer answer;
  answer.document = TRY(json::parse(line));
  if (json::get_int(answer.document, "id") != id) return malformed("answer to another call");
  if (const Value* error = json::find(answer.document, "error")) {
    const Value* data = json::find(*error, "data");
    return fail(error_code(json::get_int(*error, "code").value_or(1)),
                std::string(json::get_string(*error, "message").value_or("")),
                data ? std::string(json::get_string(*data, "hint").value_or("")) : std::string());
  }
  if (!json::find(answer.document, "result")) return malformed("no result");
  return answer;
}

std::string encode(const Submission& s) {
  Writer w;
  w.begin_object().field("request_id", s.request_id).field("lines", s.lines);
  w.field("first_line", s.first_line).field("user", s.user);
  w.field("correlation_id", s.correlation_id).field("traceparent", s.traceparent).end_object();
  return w.take();
}

Result<Submission> decode_submission(const Value* given) {
  if (!given) return malformed("no params");
  const Value& params = *given;
  Submission s;
  s.request_id = TRY(need_string(params, "request_id"));
  s.lines = TRY(need_string(params, "lines"));
  s.first_line = static_cast<size_t>(TRY(need_int(params, "first_line", 0, int64_t{1} << 40)));
  s.user = TRY(need_string(params, "user"));
  s.correlation_id = TRY(need_string(params, "correlation_id"));
  s.traceparent = TRY(need_string(params, "traceparent"));
  TRY_STATUS(check_id(s.request_id, "request id"));
  return s;
}

std::string encode(const SubmitReply& reply) {
  Writer w;
  w.begin_object().key("tasks").begin_array();
  for (const SubmitReply::Item& item : reply.items) {
    w.begin_object().field("id", item.id).field("agent", item.agent);
    w.field("state", to_string(item.state)).field("existed", item.existed).end_object();
  }
  w.end_array().end_object();
  return w.take();
}

Result<SubmitReply> decode_submit_reply(const Value& result) {
  const Value* tasks = json::find(result, "tasks");
  if (!tasks || !tasks->IsArray()) return malformed("'tasks' must be an array");
  SubmitReply reply;
  reply.items.reserve(tasks->Size());
  for (const Value& task : tasks->GetArray()) {
    SubmitReply::Item item;
    item.id = TRY(need_string(task, "id"));
    item.agent = TRY(need_string(task, "agent"));
    item.state = TRY(parse_task_state(TRY(need_string(task, "state"))));
    item.existed = json::get_bool(task, "existed").value_or(false);
    reply.items.push_back(std::move(item));
  }
  return reply;
}

namespace {

void write_sandbox(Writer& w, const AgentDefinition& d) {
  const Limits& l = d.limits;
  const SandboxOptions& s = d.sandbox;
  w.key("sandbox").begin_object();
  w.field("nofile", l.nofile).field("file_size_bytes", l.file_size_bytes);
  w.field("disk_bytes", l.disk_bytes).field("tmp_bytes", l.tmp_bytes);
  w.field("shm_bytes", l.shm_bytes).field("output_rate", l.output_rate);
  w.field("io_weight", l.io_weight).field("root", s.root).field("work", s.work);
  w.field("seccomp", s.seccomp).field("protect_git", s.protect_git);
  w.field("publish_allowed", s.publish_allowed).field("degrade", s.degrade);
  w.field("learn", s.learn).field("egress_rate", l.egress_rate);
  write_strings(w, "egress_given", d.egress_given);
  for (const SandboxList& list : sandbox_lists()) write_strings(w, list.key, s.*list.member);
  w.end_object();
}

Status read_sandbox(const Value& params, AgentDefinition& d) {
  const Value* found = json::find(params, "sandbox");
  if (!found) return {};  // a client from before there were any
  const Value& p = *found;
  Limits& l = d.limits;
  SandboxOptions& s = d.sandbox;
  l.nofile = static_cast<uint32_t>(TRY(need_int(p, "nofile", 16, 1048576)));
  l.io_weight = static_cast<uint32_t>(TRY(need_int(p, "io_weight", 0, 10000)));
  for (const auto& [key, out] :
       {std::pair<const char*, uint64_t*>{"file_size_bytes", &l.file_size_bytes},
        {"disk_bytes", &l.disk_bytes},
        {"tmp_bytes", &l.tmp_bytes},
        {"shm_bytes", &l.shm_bytes},
        {"output_rate", &l.output_rate},
        {"egress_rate", &l.egress_rate}})
    *out = static_cast<uint64_t>(TRY(need_int(p, key, 0, INT64_MAX)));
  s.root = TRY(need_string(p, "root"));
  s.work = TRY(need_string(p, "work"));
  s.seccomp = TRY(need_string(p, "seccomp"));
  s.protect_git = json::get_bool(p, "protect_git").value_or(true);
  s.publish_allowed = json::get_bool(p, "publish_allowed").value_or(false);
  s.degrade = json::get_bool(p, "degrade").value_or(false);
  s.learn = json::get_bool(p, "learn").value_or(false);
  if (json::find(p, "egress_given")) d.egress_given = TRY(need_strings(p, "egress_given"));
  for (const SandboxList& list : sandbox_lists()) s.*list.member = TRY(need_strings(p, list.key));
  return check_sandbox_options(s);
}

}  // namespace

std::string encode(const AgentDefinition& d) {
  Writer w;
  w.begin_object().field("id", d.id).field("kind", to_string(d.kind));
  write_strings(w, "command", d.command);
  w.field("model", d.model);
  write_strings(w, "tools", d.tools);
  w.field("isolation", to_string(d.isolation));
  w.field("memory_bytes", d.limits.memory_bytes).field("cpu_millicores", d.limits.cpu_millicores);
  w.field("pids", d.limits.pids).field("user", d.user);
  write_pairs(w, "labels", d.labels);
  write_pairs(w, "env", d.env);
  w.field("max_concurrent_tasks", d.max_concurrent_tasks).field("timeout_ns", d.timeout.ns);
  w.field("grace_ns", d.grace.ns).field("max_output_bytes", d.max_output_bytes);
  w.field("max_queue_depth", d.max_queue_depth).field("pool", d.pool);
  write_sandbox(w, d);
  w.end_object();
  return w.take();
}

Result<AgentDefinition> decode_definition(const Value* params) {
  if (!params) return malformed("no params");
  const Value& p = *params;
  AgentDefinition d;
  d.id = TRY(need_string(p, "id"));
  TRY_STATUS(check_id(d.id, "agent id"));
  d.kind = TRY(parse_agent_kind(TRY(need_string(p, "kind"))));
  d.command = TRY(need_strings(p, "command"));
  if (d.kind != AgentKind::external) TRY_STATUS(check_command(d.command));
  d.model = TRY(need_string(p, "model"));
  d.tools = TRY(need_strings(p, "tools"));
  d.isolation = TRY(parse_isolation_level(TRY(need_string(p, "isolation"))));
  d.limits.memory_bytes = static_cast<uint64_t>(TRY(need_int(p, "memory_bytes", 0, INT64_MAX)));
  d.limits.cpu_millicores =
      static_cast<uint32_t>(TRY(need_int(p, "cpu_millicores", 0, 4096 * 1000)));
  d.limits.pids = static_cast<uint32_t>(TRY(need_int(p, "pids", 0, INT32_MAX)));
  d.user = TRY(need_string(p, "user"));
  d.labels = TRY(need_pairs(p, "labels"));
  d.env = TRY(need_pairs(p, "env"));
  for (const auto& [name, unused] : d.env)
    if (name.find('=') != std::string::npos) return malformed("a name in 'env' has a '='");
  d.max_concurrent_tasks = static_cast<uint32_t>(TRY(need_int(p, "max_concurrent_tasks", 1, 1024)));
  d.timeout.ns = TRY(need_int(p, "timeout_ns", 0, k_longest_ns));
  d.grace.ns = TRY(need_int(p, "grace_ns", 0, k_longest_ns));
  d.max_output_bytes = static_cast<uint64_t>(TRY(need_int(p, "max_output_bytes", 0, INT64_MAX)));
  d.max_queue_depth = static_cast<uint32_t>(TRY(need_int(p, "max_queue_depth", 0, UINT32_MAX)));
  d.pool = TRY(need_string(p, "pool"));
  TRY_STATUS(read_sandbox(p, d));
  return d;
}

std::string encode(const CancelReply& reply) {
  Writer w;
  w.begin_object().field("was", to_string(reply.was));
  write_strings(w, "also_cancelled", reply.also_cancelled);
  w.end_object();
  return w.take();
}

Result<CancelReply> decode_cancel_reply(const Value& result) {
  CancelReply reply;
  reply.was = TRY(parse_task_state(TRY(need_string(result, "was"))));
  reply.also_cancelled = TRY(need_strings(result, "also_cancelled"));
  return reply;
}

std::string encode_counts(const std::vector<std::pair<std::string_view, uint64_t>>& counts) {
  Writer w;
  w.begin_object();
  for (const auto& [key, count] : counts) w.field(key, count);
  w.end_object();
  return w.take();
}

std::string encode_id(std::string_view id) {
  Writer w;
  w.begin_object().field("id", id).end_object();
  return w.take();
}

Result<std::string> decode_id(const Value* params) {
  if (!params) return malformed("no params");
  std::string id = TRY(need_string(*params, "id"));
  TRY_STATUS(check_id(id, "id"));
  return id;
}

uint64_t count_of(const Value& result, std::string_view key) {
  int64_t count = json::get_int(result, key).value_or(0);
  return count < 0 ? 0 : static_cast<uint64_t>(count);
}

}  // namespace fabric::control
