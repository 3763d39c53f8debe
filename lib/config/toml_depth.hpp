// SPDX-License-Identifier: Apache-2.0
// toml++ 3.3 limits the nesting of values, but not the length of dotted keys: each dot is one more
// level of tables, and 500,000 of them fit a file of 1 MiB and overflow the stack when destroyed.
#pragma once

#include <optional>
#include <string_view>

#include "config/toml_tree.hpp"

namespace fabric::config {

constexpr int k_max_toml_depth = 32;

// Where a dotted key has more than k_max_toml_depth parts, if anywhere. Never misses one in valid
// TOML; in text that is not valid TOML it may report one that a parser would not reach.
std::optional<Position> find_deep_key(std::string_view text);

}  // namespace fabric::config
