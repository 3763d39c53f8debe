// SPDX-License-Identifier: Apache-2.0
#include "scheduler/task_lines.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/id.hpp"
#include "base/json.hpp"

namespace fabric {
namespace {

using json::Value;

constexpr std::array<std::string_view, 8> k_fields{
    "agent", "payload", "id", "type", "priority", "depends_on", "timeout_seconds", "metadata"};

tl::unexpected<Error> bad(std::string message, std::string hint = {}) {
  return fail(ErrorCode::usage, std::move(message), std::move(hint));
}

tl::unexpected<Error> wrong_type(std::string_view field, std::string_view expected) {
  return bad("field '" + std::string(field) + "' must be " + std::string(expected));
}

Status read_metadata(const Value& value, Metadata& out) {
  if (!value.IsObject()) return wrong_type("metadata", "an object of strings");
  if (value.MemberCount() > k_max_metadata_entries)
    return bad("metadata has more than " + std::to_string(k_max_metadata_entries) + " entries");
  size_t bytes = 0;
  for (const auto& member : value.GetObject()) {
    if (!member.value.IsString()) return wrong_type("metadata", "an object of strings");
    std::string key(json::text_of(member.name));
    std::string text(json::text_of(member.value));
    bytes += key.size() + text.size();
    if (key.empty()) return bad("metadata has an empty key");
    for (const auto& [existing, unused] : out)
      if (existing == key) return bad("metadata has the key '" + key + "' twice");
    out.emplace_back(std::move(key), std::move(text));
  }
  if (bytes > k_max_metadata_bytes)
    return bad("metadata is larger than " + std::to_string(k_max_metadata_bytes) + " bytes");
  return {};
}

Status read_dependencies(const Value& value, std::vector<std::string>& out) {
  if (!value.IsArray()) return wrong_type("depends_on", "an array of task ids");
  if (value.Size() > k_max_dependencies)
    return bad("depends_on has more than " + std::to_string(k_max_dependencies) + " entries");
  for (const Value& id : value.GetArray()) {
    if (!id.IsString()) return wrong_type("depends_on", "an array of task ids");
    TRY_STATUS(check_id(json::text_of(id), "task id in depends_on"));
    std::string text(json::text_of(id));
    if (std::find(out.begin(), out.end(), text) == out.end()) out.push_back(std::move(text));
  }
  return {};
}

Status read_timeout(const Value& value, Duration& out) {
  if (!value.IsNumber()) return wrong_type("timeout_seconds", "a number");
  double seconds = value.GetDouble();
  if (!(seconds > 0) || seconds > 1e9)
    return bad("timeout_seconds must be more than 0 and at most 1e9");
  out = Duration{std::max<int64_t>(1, std::llround(seconds * 1e9))};
  return {};
}

Status read_field(std::string_view name, const Value& value, Task& task) {
  if (name == "metadata") return read_metadata(value, task.metadata);
  if (name == "depends_on") return read_dependencies(value, task.depends_on);
  if (name == "timeout_seconds") return read_timeout(value, task.timeout);
  if (name == "payload") return {};  // taken verbatim by the caller
  if (!value.IsString()) return wrong_type(name, "a string");
  std::string text(json::text_of(value));
  if (name == "priority") {
    task.priority = TRY(parse_priority(text));
  } else if (name == "agent") {
    TRY_STATUS(check_id(text, "agent id"));
    task.agent = std::move(text);
  } else if (name == "id") {
    TRY_STATUS(check_id(text, "task id"));
    task.id = std::move(text);
  } else {
    if (text.size() > k_max_type || text.find('\0') != std::string::npos)
      return bad("type must have at most " + std::to_string(k_max_type) + " bytes and no NUL");
    task.type = std::move(text);
  }
  return {};
}

tl::unexpected<Error> unknown_field(std::string_view name) {
  std::string known;
  for (std::string_view f : k_fields) known += (known.empty() ? "" : " ") + std::string(f);
  return bad("unknown field '" + std::string(name.substr(0, 64)) + "'", "known fields: " + known);
}

Result<Task> parse_line(std::string_view line) {
  const json::Document document = TRY(json::parse(line));
  if (!document.IsObject()) return bad("not a JSON object");
  Task task;
  std::array<bool, k_fields.size()> seen{};
  for (const auto& member : document.GetObject()) {
    std::string_view name = json::text_of(member.name);
    auto known = std::find(k_fields.begin(), k_fields.end(), name);
    if (known == k_fields.end()) return unknown_field(name);
    bool& before = seen[static_cast<size_t>(known - k_fields.begin())];
    if (before) return bad("field '" + std::string(name) + "' twice");
    before = true;
    TRY_STATUS(read_field(name, member.value, task));
  }
  if (task.agent.empty()) return bad("field 'agent' is missing");
  if (seen[1]) {
    std::string_view raw = json::raw_member(line, "payload");
    if (raw.size() > k_max_payload)
      return bad("payload is larger than " + std::to_string(k_max_payload) + " bytes");
    task.payload.assign(raw);
  } else {
    task.payload = "{}";
  }
  return task;
}

// The last group of a UUID, in lower case.
constexpr size_t k_node_digits = 12;
bool ends_in_node(std::string_view id) {
  if (id.size() != 36) return false;
  std::string_view node = id.substr(id.size() - k_node_digits);
  return node.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string derived_id(const std::string& request_id, uint64_t n) {
  if (!ends_in_node(request_id)) return request_id + "." + std::to_string(n);
  // The last 12 hex digits are random: adding to them stays unique and keeps the order of lines.
  std::string id = request_id;
  uint64_t carry = n;
  for (size_t i = id.size(); i > id.size() - k_node_digits && carry != 0; --i) {
    char& c = id[i - 1];
    uint64_t digit = static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10) + (carry & 15);
    carry = (carry >> 4) + (digit >> 4);
    c = "0123456789abcdef"[digit & 15];
  }
  return id;
}

Result<std::vector<Task>> parse_task_lines(std::string_view lines, const TaskLineContext& context) {
  std::vector<Task> tasks;
  size_t number = context.first_line;
  for (; !lines.empty(); ++number) {
    size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (tasks.size() == k_max_batch)
      return bad("more than " + std::to_string(k_max_batch) + " tasks in one transaction");
    Result<Task> parsed = parse_line(line);
    if (!parsed)
      return in_context(std::move(parsed), "line " + std::to_string(number)).map([](Task) {
        return std::vector<Task>{};
      });
    Task& task = *parsed;
    if (task.id.empty()) {
      task.id = derived_id(context.request_id, number);
      TRY_STATUS(check_id(task.id, "task id from request"));
    }
    task.user = context.user;
    task.correlation_id = context.correlation_id;
    task.traceparent = context.traceparent;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

}  // namespace fabric
