// SPDX-License-Identifier: Apache-2.0
// The name somebody probably meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fabric {

// Damerau-Levenshtein (optimal string alignment): insert, delete, replace, swap of neighbours.
size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `names` if it is near enough to be a slip (a third of its letters), else "".
std::string nearest(std::string_view typed, const std::vector<std::string>& names);

}  // namespace fabric
