// SPDX-License-Identifier: Apache-2.0
// Patterns of paths: "*" and "?" match within a part, "**" any number of parts.
#pragma once

#include <string>
#include <string_view>

namespace fabric {

bool is_pattern(std::string_view path);
bool matches_pattern(std::string_view pattern, std::string_view path);
// The directory of which all matches are beneath: what stands before the first part with a "*" or
// "?"; "/" when there is nothing.
std::string fixed_part(std::string_view pattern);

}  // namespace fabric
