// SPDX-License-Identifier: Apache-2.0
#include "model/references.hpp"

#include <algorithm>
#include <map>

#include "base/id.hpp"
#include "base/json.hpp"
#include "model/task.hpp"

namespace fabric {
namespace {

constexpr std::string_view k_begin = "{tasks.";
constexpr std::string_view k_result = ".result";
constexpr std::string_view k_space = " \t\r\n";

struct Reference {
  std::string_view id;
  std::vector<std::string_view> path;  // keys into the result; none: all of it
  size_t begin = 0, end = 0;           // in the payload
  bool whole = false;                  // its string contains nothing else
};

bool key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

tl::unexpected<Error> malformed(std::string_view text) {
  std::string message = "malformed reference ";
  json::append_quoted(message, text.substr(0, std::min<size_t>(text.find('}'), 99) + 1));
  return fail(ErrorCode::usage, std::move(message),
              "write {tasks.ID.result} or {tasks.ID.result.KEY} with keys of A-Z a-z 0-9 _ -; "
              "the text itself is written \\u007btasks.");
}

// Where the id ends: at the first ".result" that a dot or the end follows.
size_t id_end(std::string_view body) {
  size_t at = body.find(k_result);
  for (; at != std::string_view::npos; at = body.find(k_result, at + 1)) {
    const size_t after = at + k_result.size();
    if (after == body.size() || body[after] == '.') break;
  }
  return at;
}

// `text` starts with k_begin and goes on to the end of its string. Escapes need no care: none of
// the characters of a reference begins one.
Result<Reference> parse_reference(std::string_view text) {
  Reference reference;
  const size_t close = text.find('}');
  if (close == std::string_view::npos) return malformed(text);
  const std::string_view body = text.substr(k_begin.size(), close - k_begin.size());
  const size_t end = id_end(body);
  if (end == std::string_view::npos) return malformed(text);
  reference.id = body.substr(0, end);
  reference.end = close + 1;
  if (!is_valid_id(reference.id)) return malformed(text);
  for (std::string_view rest = body.substr(end + k_result.size()); !rest.empty();) {
    rest.remove_prefix(1);  // its dot
    const std::string_view key = rest.substr(0, rest.find('.'));
    if (key.empty() || !std::all_of(key.begin(), key.end(), key_character)) return malformed(text);
    reference.path.push_back(key);
    rest.remove_prefix(key.size());
  }
  return reference;
}

// The end of the string that begins at `at` with a quote; its closing quote included.
size_t string_end(std::string_view text, size_t at) {
  for (++at; text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at + 1;
}

bool is_key(std::string_view payload, size_t end) {
  const size_t next = payload.find_first_not_of(k_space, end);
  return next != std::string_view::npos && payload[next] == ':';
}

// Appends the references in the string at [begin, end), quotes included.
Status find_in_string(std::string_view payload, size_t begin, size_t end,
                      std::vector<Reference>& found) {
  const std::string_view string = payload.substr(0, end - 1);
  for (size_t at = begin + 1; (at = string.find(k_begin, at)) != std::string_view::npos;) {
    Reference reference = TRY(parse_reference(string.substr(at)));
    reference.begin = at;
    reference.end += at;
    reference.whole = at == begin + 1 && reference.end == end - 1;
    at = reference.end;
    if (found.size() == k_max_references)
      return fail(ErrorCode::usage, "the payload has more than " +
                                        std::to_string(k_max_references) +
                                        " references to results of tasks");
    found.push_back(std::move(reference));
  }
  return {};
}

// In the order in which they stand.
Result<std::vector<Reference>> find_references(std::string_view payload) {
  std::vector<Reference> found;
  if (payload.find(k_begin) == std::string_view::npos) return found;
  // From here on a quote outside of a string begins one, and every string ends.
  TRY_STATUS(in_context(json::validate(payload), "payload"));
  for (size_t at = 0; (at = payload.find('"', at)) != std::string_view::npos;) {
    const size_t end = string_end(payload, at);
    if (!is_key(payload, end)) TRY_STATUS(find_in_string(payload, at, end, found));
    at = end;
  }
  return found;
}

struct TaskValue {
  std::string json;
  bool was_json = true;
};

TaskValue value_of(std::string result) {
  if (json::validate(result)) {
    const size_t first = result.find_first_not_of(k_space);
    return {result.substr(first, result.find_last_not_of(k_space) - first + 1)};
  }
  if (result.ends_with('\n')) result.pop_back();
  TaskValue value{{}, false};
  json::append_quoted(value.json, result);
  return value;
}

tl::unexpected<Error> missing(const Reference& reference) {
  std::string path;
  for (std::string_view key : reference.path) path.append(path.empty() ? "" : ".").append(key);
  std::string message = "result of task " + std::string(reference.id) + " has no ";
  json::append_quoted(message, path.substr(0, 200));
  return fail(ErrorCode::usage, std::move(message), "the payload refers to that key");
}

Result<std::string_view> resolve(const Reference& reference, const TaskValue& value) {
  if (reference.path.empty()) return value.json;
  if (!value.was_json)
    return fail(ErrorCode::usage, "result of task " + std::string(reference.id) + " is not JSON",
                "the payload refers to a key of it; let that task print one JSON value, or refer "
                "to its whole result");
  const std::string_view part = json::raw_at(value.json, reference.path);
  if (part.empty()) return missing(reference);
  return part;
}

// A value as the inside of a JSON string.
std::string in_string(std::string_view value) {
  std::string quoted;
  if (value.starts_with('"'))
    quoted = value;
  else
    json::append_quoted(quoted, value);
  return quoted.substr(1, quoted.size() - 2);
}

Status append(std::string& out, std::string_view part) {
  if (part.size() > k_max_payload || out.size() > k_max_payload - part.size())
    return fail(ErrorCode::usage,
                "the payload with the results that it refers to is larger than " +
                    std::to_string(k_max_payload) + " bytes",
                "let tasks hand over large results as files in the work directory");
  out.append(part);
  return {};
}

}  // namespace

Result<std::vector<std::string>> referenced_tasks(std::string_view payload_json) {
  std::vector<std::string> ids;
  for (const Reference& reference : TRY(find_references(payload_json)))
    if (std::find(ids.begin(), ids.end(), reference.id) == ids.end())
      ids.emplace_back(reference.id);
  return ids;
}

Result<std::string> expand_references(std::string_view payload_json, const ResultOf& result_of) {
  const std::vector<Reference> references = TRY(find_references(payload_json));
  if (references.empty()) return std::string(payload_json);
  std::map<std::string_view, TaskValue> values;
  std::string out;
  size_t copied = 0;
  for (const Reference& reference : references) {
    auto known = values.find(reference.id);
    if (known == values.end())
      known = values.emplace(reference.id, value_of(TRY(result_of(reference.id)))).first;
    const std::string_view value = TRY(resolve(reference, known->second));
    // With the quotes when it takes the place of the whole string.
    const size_t quote = reference.whole ? 1 : 0;
    TRY_STATUS(append(out, payload_json.substr(copied, reference.begin - quote - copied)));
    TRY_STATUS(append(out, reference.whole ? value : std::string_view(in_string(value))));
    copied = reference.end + quote;
  }
  TRY_STATUS(append(out, payload_json.substr(copied)));
  // Only the depth can be wrong: a deep result in a deep place.
  TRY_STATUS(in_context(json::validate(out), "the payload with the results that it refers to"));
  return out;
}

}  // namespace fabric
