// SPDX-License-Identifier: Apache-2.0
// Parts of a text between separators. No streams: fabric-run cannot use them.
#pragma once

#include <string_view>
#include <vector>

namespace fabric {

// "a::b" has three. Views into `text`.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace fabric
