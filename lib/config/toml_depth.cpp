// SPDX-License-Identifier: Apache-2.0
#include "config/toml_depth.hpp"

#include <algorithm>

namespace fabric::config {
namespace {

// The end of the string that begins at `at`; a one-line string ends at its line's end at the
// latest.
size_t skip_string(std::string_view text, size_t at) {
  const char quote = text[at];
  const std::string_view triple = quote == '"' ? R"(""")" : "'''";
  const bool escapes = quote == '"';
  const bool long_form = text.substr(at, 3) == triple;
  size_t i = at + (long_form ? 3 : 1);
  while (i < text.size()) {
    if (escapes && text[i] == '\\') {
      i += 2;
    } else if (!long_form && text[i] == '\n') {
      return i;
    } else if (long_form && text.substr(i, 3) == triple) {
      i += 3;
      // Up to two quotes may stand directly before the closing three.
      for (int extra = 0; extra < 2 && i < text.size() && text[i] == quote; ++extra) ++i;
      return i;
    } else if (!long_form && text[i] == quote) {
      return i + 1;
    } else {
      ++i;
    }
  }
  return text.size();
}

Position position_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t newline = before.rfind('\n');
  const std::string_view line =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  auto characters = std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  });
  return {static_cast<uint32_t>(std::count(before.begin(), before.end(), '\n') + 1),
          static_cast<uint32_t>(characters + 1)};
}

}  // namespace

std::optional<Position> find_deep_key(std::string_view text) {
  int dots = 0;
  for (size_t i = 0; i < text.size();) {
    switch (text[i]) {
      case '"':
      case '\'':
        i = skip_string(text, i);
        continue;
      case '#':
        i = std::min(text.find('\n', i), text.size());
        continue;
      case '.':
        if (++dots >= k_max_toml_depth) return position_of(text, i);
        break;
      case '\n':
      case '=':
      case ',':
      case '[':
      case ']':
      case '{':
      case '}':
        dots = 0;
        break;
      default:
        break;
    }
    ++i;
  }
  return std::nullopt;
}

}  // namespace fabric::config
