// SPDX-License-Identifier: Apache-2.0
#include "config/values.hpp"

#include <cmath>

#include "base/id.hpp"
#include "base/json.hpp"
#include "base/size.hpp"
#include "model/command_template.hpp"

namespace fabric::config {
namespace {

using Type = Node::Type;

std::string found(const Node& node) {
  std::string out = "found " + std::string(to_string(node.type));
  if (node.type == Type::string) out += " " + quoted(node.text);
  if (node.type == Type::integer) out += " " + std::to_string(node.integer);
  return out;
}

void wrong_type(const Node& node, std::string_view expected, Complaints& complaints) {
  complaints.add(node.at, "expected " + std::string(expected) + ", " + found(node));
}

// False after a complaint.
bool is(Type type, const Node& node, std::string_view expected, Complaints& complaints) {
  if (node.type == type) return true;
  wrong_type(node, expected, complaints);
  return false;
}

template <class T>
void take(Result<T> result, T& out, const Node& node, Complaints& complaints) {
  if (result)
    out = *std::move(result);
  else
    complaints.add(node.at, result.error().message, result.error().hint);
}

bool accept(const Status& status, const Node& node, Complaints& complaints) {
  if (!status) complaints.add(node.at, status.error().message, status.error().hint);
  return status.has_value();
}

bool says_none(const Node& node) { return node.type == Type::string && node.text == "none"; }

void read_strings(const Node& node, std::vector<std::string>& out, Complaints& complaints) {
  if (!is(Type::array, node, "array of strings", complaints)) return;
  const size_t before = complaints.size();
  std::vector<std::string> list;
  for (const Node& element : node.children) {
    std::string text;
    read_text(element, text, complaints);
    list.push_back(std::move(text));
  }
  if (complaints.size() == before) out = std::move(list);
}

}  // namespace

void read_text(const Node& node, std::string& out, Complaints& complaints) {
  if (!is(Type::string, node, "string", complaints)) return;
  if (node.text.find('\0') != std::string::npos)
    return complaints.add(node.at, "the text contains a NUL character");
  if (node.text.size() > k_max_text)
    return complaints.add(node.at,
                          "the text is longer than " + std::to_string(k_max_text) + " bytes");
  out = node.text;
}

void read_absolute_path(const Node& node, std::string& out, Complaints& complaints) {
  const size_t before = complaints.size();
  std::string path;
  read_text(node, path, complaints);
  if (complaints.size() != before) return;
  if (!path.empty() && path.front() != '/')
    return complaints.add(node.at, "the path must be absolute");
  out = path;
}

void read_id(const Node& node, std::string& out, Complaints& complaints) {
  if (!is(Type::string, node, "string", complaints)) return;
  if (accept(check_id(node.text, "name"), node, complaints)) out = node.text;
}

void read_id_or_empty(const Node& node, std::string& out, Complaints& complaints) {
  if (node.type == Type::string && node.text.empty())
    out.clear();
  else
    read_id(node, out, complaints);
}

void read_list(const Node& node, std::vector<std::string>& out, Complaints& complaints) {
  read_strings(node, out, complaints);
}

void read_command(const Node& node, std::vector<std::string>& out, Complaints& complaints) {
  std::vector<std::string> command;
  const size_t before = complaints.size();
  read_strings(node, command, complaints);
  if (complaints.size() == before && accept(check_command(command), node, complaints))
    out = std::move(command);
}

void read_duration(const Node& node, Duration& out, Complaints& complaints) {
  if (!is(Type::string, node, "duration such as \"30s\"", complaints)) return;
  Duration value;
  const size_t before = complaints.size();
  take(parse_duration(node.text), value, node, complaints);
  if (complaints.size() != before) return;
  if (value > k_longest)
    return complaints.add(node.at, "a duration is at most " + to_string(k_longest));
  out = value;
}

void read_seconds(const Node& node, Duration& out, Complaints& complaints) {
  double seconds = 0;
  if (node.type == Type::integer)
    seconds = static_cast<double>(node.integer);
  else if (node.type == Type::number)
    seconds = node.number;
  else if (!says_none(node))
    return wrong_type(node, "number of seconds or \"none\"", complaints);
  if (!(seconds >= 0) || seconds > k_longest.to_seconds())
    return complaints.add(node.at, "a number of seconds is from 0 (no limit) to " +
                                       std::to_string(k_longest.ns / 1000000000));
  out = Duration{std::llround(seconds * 1e9)};
}

void read_age(const Node& node, Duration& out, Complaints& complaints) {
  if (says_none(node))
    out = Duration{};
  else if (is(Type::string, node, "duration such as \"30s\" or \"none\"", complaints))
    read_duration(node, out, complaints);
}

void read_size(const Node& node, uint64_t& out, Complaints& complaints) {
  if (node.type == Type::integer && node.integer >= 0) {
    out = static_cast<uint64_t>(node.integer);
    return;
  }
  if (is(Type::string, node, "size such as \"64M\", or a number of bytes", complaints))
    take(parse_size(node.text), out, node, complaints);
}

void read_size_limit(const Node& node, uint64_t& out, Complaints& complaints) {
  if (says_none(node))
    out = 0;
  else
    read_size(node, out, complaints);
}

void read_count(const Node& node, uint32_t& out, uint32_t least, uint32_t most,
                Complaints& complaints) {
  if (!is(Type::integer, node, "integer", complaints)) return;
  if (node.integer < int64_t{least} || node.integer > int64_t{most})
    return complaints.add(node.at, "expected an integer from " + std::to_string(least) + " to " +
                                       std::to_string(most) + ", " + found(node));
  out = static_cast<uint32_t>(node.integer);
}

void read_limit(const Node& node, uint64_t& out, uint64_t most, Complaints& complaints) {
  if (says_none(node)) {
    out = 0;
    return;
  }
  if (!is(Type::integer, node, "integer or \"none\"", complaints)) return;
  if (node.integer < 0 || static_cast<uint64_t>(node.integer) > most)
    return complaints.add(node.at, "expected an integer from 0 (no limit) to " +
                                       std::to_string(most) + ", " + found(node));
  out = static_cast<uint64_t>(node.integer);
}

void read_cores(const Node& node, uint32_t& out, Complaints& complaints) {
  double cores = 0;
  if (node.type == Type::integer)
    cores = static_cast<double>(node.integer);
  else if (node.type == Type::number)
    cores = node.number;
  else if (!says_none(node))
    return wrong_type(node, "number of cores or \"none\"", complaints);
  if (cores != 0 && (!(cores >= 0.01) || cores > 4096))
    return complaints.add(node.at, "a number of cores is from 0.01 to 4096, or 0 for no limit");
  out = static_cast<uint32_t>(std::lround(cores * 1000));
}

void read_kind(const Node& node, AgentKind& out, Complaints& complaints) {
  if (is(Type::string, node, "string", complaints))
    take(parse_agent_kind(node.text), out, node, complaints);
}

void read_level(const Node& node, IsolationLevel& out, Complaints& complaints) {
  if (is(Type::string, node, "string", complaints))
    take(parse_isolation_level(node.text), out, node, complaints);
}

void read_bool(const Node& node, bool& out, Complaints& complaints) {
  if (is(Type::boolean, node, "true or false", complaints)) out = node.boolean;
}

void read_rules(const Node& node, SandboxOptions& options, std::string_view key,
                Complaints& complaints) {
  if (!is(Type::array, node, "array of strings", complaints)) return;
  for (const SandboxList& list : sandbox_lists()) {
    if (list.key != key) continue;
    std::vector<std::string> rules;
    const size_t before = complaints.size();
    for (const Node& member : node.children) {
      std::string rule;
      const size_t so_far = complaints.size();
      read_text(member, rule, complaints);
      if (complaints.size() != so_far) continue;
      if (Status status = list.check(rule); !status)
        complaints.add(member.at, status.error().message, status.error().hint);
      rules.push_back(std::move(rule));
    }
    if (complaints.size() == before) options.*list.member = std::move(rules);
  }
}

void read_map(const Node& node, Metadata& out,
              Status (*check)(const std::string& name, const std::string& value),
              Complaints& complaints) {
  if (!is(Type::table, node, "table of strings", complaints)) return;
  for (const Node& member : node.children) {
    std::string value;
    const size_t before = complaints.size();
    read_text(member, value, complaints);
    if (complaints.size() != before) continue;
    if (Status status = check(member.key, value); !status)
      complaints.add(member.key_at, status.error().message, status.error().hint);
    else
      put(out, member.key, value);
  }
}

void read_numbers(const Node& node, NumberMap& out, std::string_view what, Range range,
                  Complaints& complaints) {
  if (!is(Type::table, node, "table of integers", complaints)) return;
  for (const Node& member : node.children) {
    uint32_t value = 0;
    const size_t before = complaints.size();
    read_count(member, value, range.least, range.most, complaints);
    if (Status status = check_id(member.key, what); !status)
      complaints.add(member.key_at, status.error().message, status.error().hint);
    if (complaints.size() == before) put(out, member.key, value);
  }
}

}  // namespace fabric::config
