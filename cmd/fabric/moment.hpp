// SPDX-License-Identifier: Apache-2.0
// Points in time as people write them. Local means the time zone of the caller (TZ,
// /etc/localtime).
#pragma once

#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric::cmd {

// RFC 3339; "YYYY-MM-DD HH:MM" or with seconds, local; "HH:MM", the next such local time after
// `now`. A local time that a change of clocks skips is refused; of one that comes twice the first
// is meant.
Result<WallTime> parse_moment(std::string_view text, WallTime now);
// The same, or "+DURATION" from `now`.
Result<WallTime> parse_moment_or_delay(std::string_view text, WallTime now);

}  // namespace fabric::cmd
