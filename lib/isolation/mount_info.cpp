// SPDX-License-Identifier: Apache-2.0
#include "isolation/mount_info.hpp"

#include <algorithm>

#include "isolation/split.hpp"

namespace fabric {

namespace {

// Space, tab, newline and backslash are written as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      out += static_cast<char>(value);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::vector<MountInfo> parse_mount_info(std::string_view text) {
  std::vector<MountInfo> mounts;
  for (std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    mounts.push_back(
        {unescape(fields[3]), unescape(fields[4]), std::string(*(dash + 1)), *(dash + 3)});
  }
  return mounts;
}

}  // namespace fabric
