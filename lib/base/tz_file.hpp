// SPDX-License-Identifier: Apache-2.0
// What a TZif file (RFC 8536) says about a zone, with everything but the offsets left out. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fabric {

struct TzTable {
  struct Change {
    int64_t at = 0;      // seconds since the epoch
    int32_t offset = 0;  // in force from then on, seconds east of Greenwich
    bool operator==(const Change&) const = default;
  };
  int32_t first_offset = 0;
  std::vector<Change> changes;  // ascending; each really changes the offset
  std::string rule;  // POSIX TZ string for what comes after; "": nothing changes any more
};

// RFC 8536, 3.2: more than 25 hours west or 26 east is no offset.
constexpr int32_t k_least_utc_offset = -89999;
constexpr int32_t k_greatest_utc_offset = 93599;

Result<TzTable> parse_tz_file(std::string_view bytes);

}  // namespace fabric
