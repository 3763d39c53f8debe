// SPDX-License-Identifier: Apache-2.0
// From TOML to a plain tree with positions.
#include "config/toml_tree.hpp"

#include <algorithm>
#include <sstream>

#include "base/toml_library.hpp"
#include "config/toml_depth.hpp"

namespace fabric::config {
namespace {

Position position(const toml::source_position& at) { return {at.line, at.column}; }

Node convert(const toml::node& from) {
  Node node;
  node.at = position(from.source().begin);
  switch (from.type()) {
    case toml::node_type::string:
      node.type = Node::Type::string;
      node.text = from.as_string()->get();
      break;
    case toml::node_type::integer:
      node.type = Node::Type::integer;
      node.integer = from.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      node.type = Node::Type::number;
      node.number = from.as_floating_point()->get();
      break;
    case toml::node_type::boolean:
      node.type = Node::Type::boolean;
      node.boolean = from.as_boolean()->get();
      break;
    case toml::node_type::array:
      node.type = Node::Type::array;
      for (const toml::node& element : *from.as_array()) node.children.push_back(convert(element));
      break;
    case toml::node_type::table:
      node.type = Node::Type::table;
      for (const auto& [key, value] : *from.as_table()) {
        Node child = convert(value);
        child.key = std::string(key.str());
        child.key_at = position(key.source().begin);
        node.children.push_back(std::move(child));
      }
      // toml++ sorts tables by key.
      std::stable_sort(node.children.begin(), node.children.end(),
                       [](const Node& a, const Node& b) {
                         return std::pair(a.key_at.line, a.key_at.column) <
                                std::pair(b.key_at.line, b.key_at.column);
                       });
      break;
    default:
      node.type = Node::Type::datetime;
      break;
  }
  return node;
}

}  // namespace

std::string_view to_string(Node::Type type) {
  switch (type) {
    case Node::Type::string:
      return "string";
    case Node::Type::integer:
      return "integer";
    case Node::Type::number:
      return "number with a fraction";
    case Node::Type::boolean:
      return "boolean";
    case Node::Type::datetime:
      return "date or time";
    case Node::Type::array:
      return "array";
    case Node::Type::table:
      return "table";
  }
  return "value";
}

tl::expected<Node, ParseFailure> parse_toml(std::string_view text) {
  if (auto deep = find_deep_key(text))
    return tl::unexpected<ParseFailure>(
        {*deep, "a key has more than " + std::to_string(k_max_toml_depth) + " parts"});
  toml::parse_result result = toml::parse(text);
  if (!result)
    return tl::unexpected<ParseFailure>(
        {position(result.error().source().begin), std::string(result.error().description())});
  return convert(result.table());
}

}  // namespace fabric::config
