// SPDX-License-Identifier: Apache-2.0
#include "model/recurring.hpp"

#include <array>

namespace fabric {
namespace {
constexpr std::array<std::string_view, 3> k_missed{"skip", "once", "all"};
}

std::string_view to_string(MissedRuns missed) { return k_missed[static_cast<size_t>(missed)]; }

Result<MissedRuns> parse_missed_runs(std::string_view text) {
  for (size_t i = 0; i < k_missed.size(); ++i)
    if (text == k_missed[i]) return static_cast<MissedRuns>(i);
  return fail(ErrorCode::usage, "unknown policy '" + std::string(text.substr(0, 40)) + "'",
              "use skip, once or all");
}

}  // namespace fabric
