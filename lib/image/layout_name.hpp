// SPDX-License-Identifier: Apache-2.0
// Names of the parts of an image layout.
#pragma once

#include <string_view>

namespace fabric {

// Whether `text` is a SHA-256 in hexadecimal.
bool is_sha256(std::string_view text);
// The names that parts of a layout have; nothing else is opened in a directory.
bool is_layout_name(std::string_view name);

}  // namespace fabric
