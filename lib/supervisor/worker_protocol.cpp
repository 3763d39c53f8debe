// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_protocol.hpp"

#include <charconv>
#include <cmath>

#include "base/json.hpp"

namespace fabric::worker {
namespace {

using json::Value;
using json::Writer;

tl::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::usage, "worker message: " + std::string(what));
}

Result<uint64_t> attempt_from(std::string_view text) {
  uint64_t attempt = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), attempt);
  if (error != std::errc{} || end != text.data() + text.size() || attempt == 0)
    return bad("'id' is not one that was given with task/run");
  return attempt;
}

// `attempt` in params of a notification is optional.
Result<uint64_t> attempt_of(const Value* params) {
  const Value* attempt = params ? json::find(*params, "attempt") : nullptr;
  if (!attempt) return uint64_t{0};
  if (!attempt->IsString()) return bad("'attempt' must be the id given with task/run");
  return attempt_from(json::text_of(*attempt));
}

Result<uint64_t> count(const Value& params, std::string_view key) {
  const Value* v = json::find(params, key);
  if (!v) return uint64_t{0};
  if (!v->IsUint64()) return bad("'" + std::string(key) + "' must be a whole number, not negative");
  return v->GetUint64();
}

Result<Message> decode_usage(const Value* params) {
  if (!params || !params->IsObject()) return bad("usage without params");
  UsageReport report;
  report.attempt_id = TRY(attempt_of(params));
  report.usage.requests = TRY(count(*params, "requests"));
  report.usage.input_tokens = TRY(count(*params, "input_tokens"));
  report.usage.output_tokens = TRY(count(*params, "output_tokens"));
  if (const Value* cost = json::find(*params, "cost_usd")) {
    double usd = cost->IsNumber() ? cost->GetDouble() : -1;
    if (!(usd >= 0) || usd > 1e9) return bad("'cost_usd' must be between 0 and 1e9");
    report.usage.cost_microusd = static_cast<uint64_t>(std::llround(usd * 1e6));
  }
  return Message(report);
}

Result<Message> decode_log(const Value* params) {
  auto text = params ? json::get_string(*params, "message") : std::nullopt;
  if (!text) return bad("log without a message");
  LogLine line;
  line.attempt_id = TRY(attempt_of(params));
  line.level = std::string(json::get_string(*params, "level").value_or("info"));
  line.text = std::string(*text);
  return Message(line);
}

Result<Message> decode_response(std::string_view line, const Value& object, const Value& id) {
  if (!id.IsString()) return bad("'id' must be the string given with task/run");
  uint64_t attempt = TRY(attempt_from(json::text_of(id)));
  // Some libraries always write both members and leave one null.
  if (const Value* error = json::find(object, "error"); error && !error->IsNull()) {
    auto message = json::get_string(*error, "message");
    if (!message) return bad("error without a message");
    return Message(
        Failed{attempt, json::get_int(*error, "code").value_or(0), std::string(*message)});
  }
  if (!json::find(object, "result")) return bad("neither result nor error");
  return Message(Completed{attempt, std::string(json::raw_member(line, "result"))});
}

}  // namespace

std::string run_request(const Task& task) {
  Writer w;
  w.begin_object().field("jsonrpc", "2.0").field("id", std::to_string(task.attempt_id));
  w.field("method", "task/run").key("params").begin_object();
  w.field("task_id", task.id).field("type", task.type).field("attempt", task.attempt);
  w.field("correlation_id", task.correlation_id).field("traceparent", task.traceparent);
  if (task.timeout.ns != 0) w.field("timeout_seconds", task.timeout.to_seconds());
  w.key("metadata").begin_object();
  for (const auto& [name, value] : task.metadata) w.field(name, value);
  w.end_object();
  // A payload may have been submitted over several lines; a message is one line.
  std::string payload = task.payload;
  for (char& c : payload)
    if (c == '\n' || c == '\r') c = ' ';
  w.key("payload").raw(payload).end_object().end_object();
  return w.take();
}

std::string cancel_notification(const Task& task) {
  Writer w;
  w.begin_object().field("jsonrpc", "2.0").field("method", "task/cancel").key("params");
  w.begin_object().field("id", std::to_string(task.attempt_id)).field("task_id", task.id);
  w.end_object().end_object();
  return w.take();
}

std::string shutdown_notification() { return R"({"jsonrpc":"2.0","method":"shutdown"})"; }

Result<Message> decode(std::string_view line) {
  const json::Document document = TRY(json::parse(line));
  if (!document.IsObject()) return bad("not an object");
  const Value* method = json::find(document, "method");
  const Value* id = json::find(document, "id");
  if (!method) {
    if (!id) return bad("neither a method nor an id");
    return decode_response(line, document, *id);
  }
  if (!method->IsString()) return bad("'method' must be a string");
  std::string_view name = json::text_of(*method);
  const Value* params = json::find(document, "params");
  if (name == "heartbeat") return Message(Heartbeat{});
  if (name == "usage") return decode_usage(params);
  if (name == "log") return decode_log(params);
  return bad("unknown method '" + std::string(name.substr(0, 64)) + "'");
}

}  // namespace fabric::worker
