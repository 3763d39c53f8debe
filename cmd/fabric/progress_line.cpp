// SPDX-License-Identifier: Apache-2.0
#include "fabric/progress_line.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace fabric::cmd {

std::string progress_line(const WaitProgress& progress) {
  constexpr size_t k_width = 20;
  const size_t filled = progress.total == 0 ? k_width : k_width * progress.ended / progress.total;
  std::string line = "[" + std::string(filled, '#') + std::string(k_width - filled, ' ') + "] " +
                     std::to_string(progress.ended) + " of " + std::to_string(progress.total);
  if (progress.failed > 0) line += ", " + std::to_string(progress.failed) + " failed";
  const size_t meanwhile = progress.ended - std::min(progress.ended, progress.ended_before);
  const double seconds = progress.elapsed.to_seconds();
  if (meanwhile == 0 || seconds <= 0) return line;
  const double rate = static_cast<double>(meanwhile) / seconds;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), rate < 10 ? ", %.1f/s" : ", %.0f/s", rate);
  line += text.data();
  if (const size_t open = progress.total - progress.ended; open > 0) {
    // Beyond a year nobody reads it, and sums would overflow.
    const double left = std::min(static_cast<double>(open) / rate, 366.0 * 86400);
    line += ", " + human(Duration{static_cast<int64_t>(left * 1e9)}) + " left";
  }
  return line;
}

}  // namespace fabric::cmd
