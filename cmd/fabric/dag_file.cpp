// SPDX-License-Identifier: Apache-2.0
#include "fabric/dag_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

using config::Node;
using config::Position;

// --- TOML

Status write_node(json::Writer& w, const Node& node, const std::string& path) {
  switch (node.type) {
    case Node::Type::string:
      w.string(node.text);
      return {};
    case Node::Type::integer:
      w.integer(node.integer);
      return {};
    case Node::Type::number:
      if (!std::isfinite(node.number)) return fail_at(path, node.at, "JSON has no such number");
      w.number(node.number);
      return {};
    case Node::Type::boolean:
      w.boolean(node.boolean);
      return {};
    case Node::Type::datetime:
      return fail_at(path, node.at, "a time is written as a string here",
                     "put it in quotes: \"2026-11-25T14:30:00Z\"");
    case Node::Type::array:
      w.begin_array();
      for (const Node& element : node.children) TRY_STATUS(write_node(w, element, path));
      w.end_array();
      return {};
    case Node::Type::table:
      w.begin_object();
      for (const Node& member : node.children) {
        w.key(member.key);
        TRY_STATUS(write_node(w, member, path));
      }
      w.end_object();
      return {};
  }
  return {};
}

Result<DagEntry> entry_of(const Node& table, const std::string& path) {
  if (table.type != Node::Type::table)
    return fail_at(path, table.at, "a task must be a table", "begin it with [[task]]");
  DagEntry entry{table.at, {}};
  for (const Node& member : table.children) {
    json::Writer value;
    TRY_STATUS(write_node(value, member, path));
    entry.fields.push_back({member.key, member.key_at, member.at, value.take()});
  }
  return entry;
}

// --- JSON

// Counts on from where it was asked last: places come in order, and files may be large.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {}
  Position of(std::string_view part) {
    const auto offset = static_cast<size_t>(part.data() - text_.data());
    if (offset < done_) {
      at_ = {1, 1};
      done_ = 0;
    }
    for (; done_ < offset; ++done_) {
      if (text_[done_] == '\n')
        at_ = {at_.line + 1, 1};
      else if ((static_cast<unsigned char>(text_[done_ + 1]) & 0xc0U) != 0x80)
        ++at_.column;  // the next byte begins a character
    }
    return at_;
  }

 private:
  std::string_view text_;
  Position at_{1, 1};
  size_t done_ = 0;
};

// Where the JSON value that begins at `at` ends.
size_t end_of_value(std::string_view json, size_t at) {
  int depth = 0;
  for (; at < json.size(); ++at) {
    const char c = json[at];
    if (c == '"') {
      for (++at; at < json.size() && json[at] != '"'; ++at)
        if (json[at] == '\\') ++at;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      --depth;
    } else if (c == ',' && depth == 0) {
      return at;
    }
  }
  return at;
}

// Of a valid array.
std::vector<std::string_view> elements_of(std::string_view array) {
  constexpr std::string_view k_space = " \t\r\n";
  std::vector<std::string_view> elements;
  size_t at = array.find_first_not_of(k_space, 1);
  while (at < array.size() && array[at] != ']') {
    const size_t end = end_of_value(array, at);
    elements.push_back(array.substr(at, end - at));
    at = end < array.size() && array[end] == ',' ? array.find_first_not_of(k_space, end + 1) : end;
  }
  return elements;
}

Result<DagEntry> entry_of(const json::Value& task, std::string_view text, Places& places,
                          const std::string& path) {
  DagEntry entry{places.of(text), {}};
  if (!task.IsObject()) return fail_at(path, entry.at, "a task must be an object");
  for (const auto& member : task.GetObject()) {
    const std::string name(json::text_of(member.name));
    const std::string_view value = json::raw_member(text, name);
    const Position at = places.of(value);
    for (const DagField& other : entry.fields)
      if (other.name == name) return fail_at(path, at, "field '" + printable(name) + "' twice");
    entry.fields.push_back({name, at, at, std::string(value)});
  }
  return entry;
}

}  // namespace

tl::unexpected<Error> fail_at(const std::string& path, Position at, std::string message,
                              std::string hint) {
  return fail(ErrorCode::usage,
              path + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " +
                  std::move(message),
              std::move(hint));
}

Result<std::vector<DagEntry>> read_dag_toml(const std::string& path, std::string_view text) {
  const auto root = config::parse_toml(text);
  if (!root) return fail_at(path, root.error().at, root.error().message);
  std::vector<DagEntry> entries;
  for (const Node& member : root->children) {
    if (member.key != "task" && member.key != "tasks")
      return fail_at(path, member.key_at, "unknown key '" + printable(member.key) + "'",
                     "tasks are [[task]] tables");
    if (member.type != Node::Type::array)
      return fail_at(path, member.key_at, "'" + member.key + "' must be a list of tables",
                     "begin each with [[" + member.key + "]]");
    for (const Node& task : member.children) entries.push_back(TRY(entry_of(task, path)));
  }
  return entries;
}

Result<std::vector<DagEntry>> read_dag_json(const std::string& path, std::string_view text) {
  const json::Document document = TRY(in_context(json::parse(text), path));
  Places places(text);
  if (!document.IsObject())
    return fail_at(path, {1, 1}, "not a JSON object", "write {\"tasks\": [...]}");
  for (const auto& member : document.GetObject())
    if (const auto name = json::text_of(member.name); name != "tasks")
      return fail_at(path, places.of(json::raw_member(text, name)),
                     "unknown field '" + printable(name) + "'", "write {\"tasks\": [...]}");
  const json::Value* tasks = json::find(document, "tasks");
  if (!tasks || !tasks->IsArray())
    return fail_at(path, {1, 1}, "there is no list of tasks", "write {\"tasks\": [...]}");
  const std::vector<std::string_view> texts = elements_of(json::raw_member(text, "tasks"));
  std::vector<DagEntry> entries;
  for (rapidjson::SizeType i = 0; i < tasks->Size() && i < texts.size(); ++i)
    entries.push_back(TRY(entry_of((*tasks)[i], texts[i], places, path)));
  return entries;
}

Result<std::vector<DagEntry>> read_dag_file(const std::string& path) {
  const std::string text = TRY(in_context(
      path == "-" ? read_all(STDIN_FILENO, k_largest_dag) : read_file(path, k_largest_dag),
      "--dag"));
  const std::string name = path == "-" ? "standard input" : path;
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool braces = first != std::string::npos && text[first] == '{';
  const bool is_json = path.ends_with(".json") || (!path.ends_with(".toml") && braces);
  return is_json ? read_dag_json(name, text) : read_dag_toml(name, text);
}

}  // namespace fabric::cmd
