// SPDX-License-Identifier: Apache-2.0
#include "model/command_template.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace fabric {
namespace {

constexpr std::string_view k_begin = "{payload.";

bool key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// The path of the placeholder at the front of `text`, which starts with k_begin; "" if it is none.
std::string_view placeholder_path(std::string_view text) {
  text.remove_prefix(k_begin.size());
  const size_t end = text.find('}');
  if (end == std::string_view::npos) return {};
  const std::string_view path = text.substr(0, end);
  char before = '.';
  for (char c : path) {
    if (c == '.' ? before == '.' : !key_character(c)) return {};
    before = c;
  }
  return before == '.' ? std::string_view{} : path;
}

tl::unexpected<Error> missing(std::string_view path) {
  std::string message = "payload has no ";
  json::append_quoted(message, path);
  return fail(ErrorCode::usage, std::move(message),
              "the agent's command inserts {payload." + std::string(path) + "}");
}

Result<std::string> value_at(std::string_view path, std::string_view payload) {
  std::string_view value = payload;
  for (std::string_view rest = path; !rest.empty();) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    if (!value.starts_with('{')) return missing(path);
    value = json::raw_member(value, rest.substr(0, dot));
    if (value.empty()) return missing(path);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  if (!value.starts_with('"')) return std::string(value);
  const json::Document text = TRY(json::parse(value));
  return std::string(json::text_of(text));
}

Result<std::string> expand(std::string_view argument, std::string_view payload) {
  std::string out;
  for (;;) {
    const size_t at = argument.find(k_begin);
    out.append(argument.substr(0, at));
    if (at == std::string_view::npos) break;
    argument.remove_prefix(at);
    const std::string_view path = placeholder_path(argument);
    if (path.empty()) {
      out.append(k_begin);
      argument.remove_prefix(k_begin.size());
      continue;
    }
    out += TRY(value_at(path, payload));
    argument.remove_prefix(k_begin.size() + path.size() + 1);
  }
  return out;
}

Status check_argument(const std::string& argument) {
  if (argument.find('\0') != std::string::npos)
    return fail(ErrorCode::usage, "an argument of the command contains a NUL character");
  if (argument.size() >= k_max_argument)
    return fail(ErrorCode::usage,
                "an argument of the command is longer than " + std::to_string(k_max_argument - 1) +
                    " bytes",
                "let the command read the payload from its standard input");
  return {};
}

}  // namespace

Status check_command(const std::vector<std::string>& command) {
  if (command.empty() || command[0].empty())
    return fail(ErrorCode::usage, "the command names no program");
  if (command.size() > k_max_arguments)
    return fail(ErrorCode::usage,
                "the command has more than " + std::to_string(k_max_arguments) + " arguments");
  for (const std::string& argument : command) {
    TRY_STATUS(check_argument(argument));
    for (size_t at = argument.find(k_begin); at != std::string::npos;
         at = argument.find(k_begin, at + 1)) {
      if (placeholder_path(std::string_view(argument).substr(at)).empty()) {
        std::string message = "malformed placeholder in the argument ";
        json::append_quoted(message, argument.substr(0, 200));
        return fail(ErrorCode::usage, std::move(message),
                    "write {payload.KEY} or {payload.KEY.KEY} with keys of A-Z a-z 0-9 _ -");
      }
    }
  }
  if (command[0].find(k_begin) != std::string::npos)
    return fail(ErrorCode::usage, "the payload of a task cannot choose the program",
                "name the program, and use placeholders in its arguments only");
  return {};
}

Result<std::vector<std::string>> expand_command(const std::vector<std::string>& command,
                                                std::string_view payload_json) {
  const size_t start = std::min(payload_json.find_first_not_of(" \t\r\n"), payload_json.size());
  payload_json.remove_prefix(start);
  std::vector<std::string> out;
  out.reserve(command.size());
  for (const std::string& argument : command) {
    if (out.empty()) {
      out.push_back(argument);  // the program: never from a payload
      continue;
    }
    std::string expanded = TRY(expand(argument, payload_json));
    TRY_STATUS(check_argument(expanded));
    out.push_back(std::move(expanded));
  }
  return out;
}

}  // namespace fabric
