// SPDX-License-Identifier: Apache-2.0
#include "image/layout_name.hpp"

#include <algorithm>

namespace fabric {

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_layout_name(std::string_view name) {
  constexpr std::string_view k_blobs = "blobs/sha256/";
  return name == "index.json" ||
         (name.starts_with(k_blobs) && is_sha256(name.substr(k_blobs.size())));
}

}  // namespace fabric
