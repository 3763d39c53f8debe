// SPDX-License-Identifier: Apache-2.0
#include "base/size.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace fabric {
namespace {
constexpr std::string_view k_suffixes = "KMGTP";
}

Result<uint64_t> parse_size(std::string_view text) {
  auto bad = [&] {
    return fail(ErrorCode::usage, "invalid size '" + std::string(text.substr(0, 40)) + "'",
                "write bytes with a suffix of K, M, G or T, for example 512M or 1.5G");
  };
  double number = 0;
  if (text.empty() || text[0] == '-' || text[0] == '+') return bad();
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{}) return bad();
  std::string_view suffix(end, static_cast<size_t>(text.data() + text.size() - end));
  int power = 0;
  if (!suffix.empty() && suffix != "B") {
    size_t at = k_suffixes.find(static_cast<char>(suffix[0] & ~0x20));
    std::string_view rest = suffix.substr(1);
    if (at == std::string_view::npos || !(rest.empty() || rest == "B" || rest == "iB"))
      return bad();
    power = static_cast<int>(at) + 1;
  }
  // Whole numbers exactly, beyond what a double holds.
  uint64_t whole = 0;
  auto [whole_end, whole_error] = std::from_chars(text.data(), end, whole);
  if (whole_error == std::errc{} && whole_end == end &&
      whole <= (uint64_t{1} << 62) >> (10 * power))
    return whole << (10 * power);
  double bytes = std::ldexp(number, 10 * power);
  if (!(bytes < 9.2e18) || bytes != std::floor(bytes)) return bad();
  return static_cast<uint64_t>(bytes);
}

std::string human_size(uint64_t bytes) {
  double value = static_cast<double>(bytes);
  int power = 0;
  while (value >= 1024 && power < 5) {
    value /= 1024;
    ++power;
  }
  char out[32];
  if (power == 0)
    std::snprintf(out, sizeof out, "%llu B", static_cast<unsigned long long>(bytes));
  else
    std::snprintf(out, sizeof out, "%.1f %ciB", value, k_suffixes[static_cast<size_t>(power - 1)]);
  return out;
}

std::string size_to_string(uint64_t bytes) {
  int power = 0;
  while (bytes != 0 && bytes % 1024 == 0 && power < 5) {
    bytes /= 1024;
    ++power;
  }
  std::string out = std::to_string(bytes);
  if (power > 0) out += k_suffixes[static_cast<size_t>(power - 1)];
  return out;
}

}  // namespace fabric
