// SPDX-License-Identifier: Apache-2.0
#include "fabric/nearest.hpp"

#include <algorithm>

namespace fabric::cmd {
namespace {

// Damerau-Levenshtein (optimal string alignment): a swapped pair counts as one mistake.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest_name(std::string_view typed, const std::vector<std::string_view>& known) {
  if (typed.empty() || typed.size() > 64) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(typed.size() / 3, 1) + 1;
  for (std::string_view name : known) {
    const size_t d = distance(typed, name);
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
