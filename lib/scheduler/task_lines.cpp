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

struct Field {
  std::string_view name;
  Status (*read)(const Value& value, Task& task);  // nullptr: read by the caller
};

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

Result<std::string> read_text(const Value& value, std::string_view field, size_t longest) {
  if (!value.IsString()) return wrong_type(field, "a string");
  std::string text(json::text_of(value));
  if (text.size() > longest || text.find('\0') != std::string::npos)
    return bad(std::string(field) + " must have at most " + std::to_string(longest) +
               " bytes and no NUL");
  return text;
}

Result<std::string> read_id(const Value& value, std::string_view field, std::string_view what) {
  if (!value.IsString()) return wrong_type(field, "a string");
  std::string text(json::text_of(value));
  TRY_STATUS(check_id(text, what));
  return text;
}

Status read_dependencies(const Value& value, Task& task) {
  if (!value.IsArray()) return wrong_type("depends_on", "an array of task ids");
  if (value.Size() > k_max_dependencies)
    return bad("depends_on has more than " + std::to_string(k_max_dependencies) + " entries");
  std::vector<std::string>& out = task.depends_on;
  for (const Value& id : value.GetArray()) {
    if (!id.IsString()) return wrong_type("depends_on", "an array of task ids");
    TRY_STATUS(check_id(json::text_of(id), "task id in depends_on"));
    std::string text(json::text_of(id));
    if (std::find(out.begin(), out.end(), text) == out.end()) out.push_back(std::move(text));
  }
  return {};
}

Status read_seconds(const Value& value, std::string_view field, Duration& out) {
  if (!value.IsNumber()) return wrong_type(field, "a number");
  double seconds = value.GetDouble();
  if (!(seconds > 0) || seconds > 1e9)
    return bad(std::string(field) + " must be more than 0 and at most 1e9");
  out = Duration{std::max<int64_t>(1, std::llround(seconds * 1e9))};
  return {};
}

Status read_time(const Value& value, std::string_view field, WallTime& out) {
  if (!value.IsString()) return wrong_type(field, "a time as in RFC 3339");
  Result<WallTime> time = parse_rfc3339(json::text_of(value));
  if (!time) return bad(std::string(field) + ": " + time.error().message, time.error().hint);
  out = *time;
  return {};
}

Status read_retries(const Value& value, Task& task) {
  if (!value.IsUint() || value.GetUint() > k_max_retries)
    return wrong_type("retries", "a number from 0 to " + std::to_string(k_max_retries));
  task.retry.limit = value.GetUint();
  return {};
}

Status read_retry_on(const Value& value, Task& task) {
  if (!value.IsArray() || value.Size() > k_max_retry_on)
    return wrong_type("retry_on", "an array of failed, timed_out, lost, exit:N");
  for (const Value& on : value.GetArray()) {
    if (!on.IsString()) return wrong_type("retry_on", "an array of strings");
    TRY_STATUS(check_retry_on(json::text_of(on)));
    task.retry.on.emplace_back(json::text_of(on));
  }
  return {};
}

Status read_slots(const Value& value, Task& task) {
  if (!value.IsObject() || value.MemberCount() > k_max_slot_labels)
    return wrong_type("slots", "an object of at most " + std::to_string(k_max_slot_labels) +
                                   " numbers, for example {\"gpu\": 1}");
  for (const auto& member : value.GetObject()) {
    if (!member.value.IsUint()) return wrong_type("slots", "an object of numbers");
    task.slots.emplace_back(json::text_of(member.name), member.value.GetUint());
  }
  return normalise(task.slots);
}

Status read_require(const Value& value, Task& task) {
  if (!value.IsObject())
    return wrong_type("require", "an object, for example {\"tool\": \"browser\"}");
  for (const auto& member : value.GetObject()) {
    const std::string key(json::text_of(member.name));
    if (member.value.IsString()) {
      task.require.emplace_back(key, json::text_of(member.value));
      continue;
    }
    if (!member.value.IsArray()) return wrong_type("require", "an object of strings");
    for (const Value& one : member.value.GetArray()) {
      if (!one.IsString()) return wrong_type("require", "an object of strings");
      task.require.emplace_back(key, json::text_of(one));
    }
  }
  if (task.require.size() > k_max_requirements)
    return bad("require has more than " + std::to_string(k_max_requirements) + " entries");
  return normalise(task.require);
}

// One row a field: what `schedule --batch` documents.
constexpr std::array<Field, 22> k_fields{{
    {"agent",
     [](const Value& v, Task& t) -> Status {
       t.agent = TRY(read_id(v, "agent", "agent id"));
       return {};
     }},
    {"payload", nullptr},
    {"id",
     [](const Value& v, Task& t) -> Status {
       t.id = TRY(read_id(v, "id", "task id"));
       return {};
     }},
    {"idempotency_key",
     [](const Value& v, Task& t) -> Status {
       const std::string key = TRY(read_text(v, "idempotency_key", 4096));
       if (key.empty()) return bad("idempotency_key is empty");
       t.id = id_of_key(key);
       return {};
     }},
    {"type",
     [](const Value& v, Task& t) -> Status {
       t.type = TRY(read_text(v, "type", k_max_type));
       return {};
     }},
    {"priority",
     [](const Value& v, Task& t) -> Status {
       t.priority = TRY(parse_priority(TRY(read_text(v, "priority", 64))));
       return {};
     }},
    {"depends_on", read_dependencies},
    {"after",
     [](const Value& v, Task& t) -> Status {
       t.after = TRY(parse_after_policy(TRY(read_text(v, "after", 64))));
       return {};
     }},
    {"timeout_seconds",
     [](const Value& v, Task& t) { return read_seconds(v, "timeout_seconds", t.timeout); }},
    {"no_progress_timeout_seconds",
     [](const Value& v, Task& t) {
       return read_seconds(v, "no_progress_timeout_seconds", t.no_progress_timeout);
     }},
    {"queue_ttl_seconds",
     [](const Value& v, Task& t) { return read_seconds(v, "queue_ttl_seconds", t.queue_ttl); }},
    {"deadline", [](const Value& v, Task& t) { return read_time(v, "deadline", t.deadline); }},
    {"start_at", [](const Value& v, Task& t) { return read_time(v, "start_at", t.start_at); }},
    {"retries", read_retries},
    {"backoff",
     [](const Value& v, Task& t) -> Status {
       t.retry.backoff = TRY(parse_backoff(TRY(read_text(v, "backoff", 128))));
       return {};
     }},
    {"retry_on", read_retry_on},
    {"slots", read_slots},
    {"share",
     [](const Value& v, Task& t) -> Status {
       t.share = TRY(read_text(v, "share", k_max_key));
       return {};
     }},
    {"exclusive",
     [](const Value& v, Task& t) -> Status {
       t.exclusive = TRY(read_text(v, "exclusive", k_max_key));
       return {};
     }},
    {"group",
     [](const Value& v, Task& t) -> Status {
       t.group = TRY(read_id(v, "group", "group id"));
       return {};
     }},
    {"require", read_require},
    {"metadata", [](const Value& v, Task& t) { return read_metadata(v, t.metadata); }},
}};

tl::unexpected<Error> unknown_field(std::string_view name) {
  std::string known;
  for (const Field& f : k_fields) known += (known.empty() ? "" : " ") + std::string(f.name);
  return bad("unknown field '" + std::string(name.substr(0, 64)) + "'", "known fields: " + known);
}

// The last group of a UUID, in lower case.
constexpr size_t k_node_digits = 12;
bool ends_in_node(std::string_view id) {
  if (id.size() != 36) return false;
  std::string_view node = id.substr(id.size() - k_node_digits);
  return node.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<Task> parse_task_line(std::string_view line) {
  const json::Document document = TRY(json::parse(line));
  if (!document.IsObject()) return bad("not a JSON object");
  Task task;
  std::array<bool, k_fields.size()> seen{};
  for (const auto& member : document.GetObject()) {
    std::string_view name = json::text_of(member.name);
    auto known = std::find_if(k_fields.begin(), k_fields.end(),
                              [&](const Field& field) { return field.name == name; });
    if (known == k_fields.end()) return unknown_field(name);
    bool& before = seen[static_cast<size_t>(known - k_fields.begin())];
    if (before) return bad("field '" + std::string(name) + "' twice");
    before = true;
    if (known->read != nullptr) TRY_STATUS(known->read(member.value, task));
  }
  const bool id = seen[2];
  const bool key = seen[3];
  if (id && key) return bad("id and idempotency_key exclude each other");
  if (task.agent.empty() && task.require.empty()) return bad("field 'agent' is missing");
  if (!task.agent.empty() && !task.require.empty())
    return bad("agent and require exclude each other");
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
    Result<Task> parsed = parse_task_line(line);
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
