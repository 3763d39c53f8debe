// SPDX-License-Identifier: Apache-2.0
// How urgent a task is. The number is its level in the queues: 0 is the most urgent.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace fabric {

enum class Priority : uint8_t { critical = 0, high = 1, normal = 2, low = 3 };
constexpr int k_priority_levels = 4;
std::string_view to_string(Priority priority);
Result<Priority> parse_priority(std::string_view text);

}  // namespace fabric
