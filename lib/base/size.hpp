// SPDX-License-Identifier: Apache-2.0
// Byte sizes as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fabric {

// "512M", "1.5G", "4096", "64KiB": suffixes K M G T (with or without iB or B) are powers of 1024.
Result<uint64_t> parse_size(std::string_view text);
// For people: "512.0 MiB".
std::string human_size(uint64_t bytes);
// The shortest exact form: "512M", "1000".
std::string size_to_string(uint64_t bytes);

}  // namespace fabric
