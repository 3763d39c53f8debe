// SPDX-License-Identifier: Apache-2.0
#include "fabric/nearest.hpp"

#include <algorithm>

#include "base/nearest.hpp"

namespace fabric::cmd {
std::string nearest_name(std::string_view typed, const std::vector<std::string_view>& known) {
  if (typed.empty() || typed.size() > 64) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(typed.size() / 3, 1) + 1;
  for (std::string_view name : known) {
    const size_t d = edit_distance(typed, name);
    if (d < best_distance) {
      best = name;
      best_distance = d;
    }
  }
  // Nobody mistypes a word and means one that begins with it; he stopped too early.
  if (best.empty() && typed.size() >= 3)
    for (std::string_view name : known)
      if (name.starts_with(typed)) return std::string(name);
  return std::string(best);
}

}  // namespace fabric::cmd
