// SPDX-License-Identifier: Apache-2.0
#include "fabric/text.hpp"

#include <cstdint>

namespace fabric::cmd {
namespace {

constexpr std::string_view k_replacement = "\xef\xbf\xbd";

struct Character {
  uint32_t code = 0;
  size_t length = 0;  // bytes; 0: not UTF-8
};

Character next_character(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  size_t length = 0;
  uint32_t code = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
    code = first & 0x1fU;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    code = first & 0x0fU;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    code = first & 0x07U;
  }
  if (length == 0 || s.size() < length) return {};
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr uint32_t k_smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < k_smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, length};
}

bool reorders_text(uint32_t code) {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
         code == 0x200e || code == 0x200f || code == 0x061c;
}

bool is_wide(uint32_t code) {
  return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
         (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
         (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
         (code >= 0x1f300 && code <= 0x1f64f) || (code >= 0x1f900 && code <= 0x1f9ff) ||
         (code >= 0x20000 && code <= 0x3fffd);
}

bool is_combining(uint32_t code) {
  return (code >= 0x0300 && code <= 0x036f) || (code >= 0x200b && code <= 0x200d) ||
         (code >= 0xfe00 && code <= 0xfe0f);
}

size_t columns_of(uint32_t code) { return is_combining(code) ? 0 : is_wide(code) ? 2 : 1; }

std::string make_safe(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = next_character(text);
    if (c.length == 0) {
      out += k_replacement;
    } else if (keep_lines && (c.code == '\n' || c.code == '\t')) {
      out += static_cast<char>(c.code);
    } else if (c.code < 0x20) {
      out += '^';
      out += static_cast<char>(c.code + '@');
    } else if (c.code == 0x7f) {
      out += "^?";
    } else if ((c.code >= 0x80 && c.code < 0xa0) || reorders_text(c.code)) {
      out += k_replacement;
    } else {
      out.append(text.substr(0, c.length));
    }
    text.remove_prefix(c.length == 0 ? 1 : c.length);
  }
  return out;
}

template <class Parts>
std::string join_parts(const Parts& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return make_safe(text, false); }
std::string printable_lines(std::string_view text) { return make_safe(text, true); }

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Character c = next_character(text);
    width += c.length == 0 ? 1 : columns_of(c.code);
    text.remove_prefix(c.length == 0 ? 1 : c.length);
  }
  return width;
}

std::string fit(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  size_t used = 0;
  size_t end = 0;
  while (end < text.size()) {
    const Character c = next_character(text.substr(end));
    const size_t columns = c.length == 0 ? 1 : columns_of(c.code);
    if (used + columns > width - 1) break;
    used += columns;
    end += c.length == 0 ? 1 : c.length;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string join(const std::vector<std::string_view>& parts, std::string_view separator) {
  return join_parts(parts, separator);
}
std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return join_parts(parts, separator);
}

std::string wrap(std::string_view text, size_t width, size_t indent) {
  std::string out;
  std::string line;
  const auto end_line = [&] {
    out += std::string(indent, ' ') + line + "\n";
    line.clear();
  };
  for (std::string_view word : split(text, ' ')) {
    if (word.empty()) continue;
    if (!line.empty() && indent + display_width(line) + 1 + display_width(word) > width) end_line();
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty()) end_line();
  return out;
}

std::string count_of(size_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

}  // namespace fabric::cmd
