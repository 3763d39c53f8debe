// SPDX-License-Identifier: Apache-2.0
// A TOML file as a small tree of our own: typed values that know their line and column.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fabric::config {

// Both count from 1; columns count characters, not bytes. Line 0: the file as a whole.
struct Position {
  uint32_t line = 0;
  uint32_t column = 0;
};

struct Node {
  enum class Type : uint8_t { string, integer, number, boolean, datetime, array, table };
  Type type = Type::table;
  std::string key;  // "" for the root and for elements of arrays
  Position key_at;
  Position at;  // of the value
  std::string text;
  int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  std::vector<Node> children;  // members of a table in the order of the file; elements of an array
};
std::string_view to_string(Node::Type type);

struct ParseFailure {
  Position at;
  std::string message;
};
// Nesting is limited, so hostile text can exhaust no stack. Thread-safe.
tl::expected<Node, ParseFailure> parse_toml(std::string_view text);

}  // namespace fabric::config
