// SPDX-License-Identifier: Apache-2.0
#include "model/recurring.hpp"

#include <array>
#include <ctime>

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

std::string run_id(const Recurring& recurring, WallTime due) {
  const std::time_t seconds = due.us / 1000000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, k_run_suffix + 1> suffix{};
  const size_t size = std::strftime(suffix.data(), suffix.size(), ".%Y%m%dT%H%M%SZ", &utc);
  return recurring.id + std::string(suffix.data(), size);
}

}  // namespace fabric
