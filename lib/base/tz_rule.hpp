// SPDX-License-Identifier: Apache-2.0
// The rule for far years: a POSIX TZ string such as "CET-1CEST,M3.5.0,M10.5.0/3", as it stands at
// the end of a TZif file or in the variable TZ. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fabric {

struct TzRule {
  // A day of each year, and the second of that day on the clock before the change.
  struct Change {
    enum class Form : uint8_t { month_week_day, julian_without_leap_day, day_of_year };
    Form form = Form::month_week_day;
    int month = 0, week = 0, weekday = 0;  // week 5 is the last
    int day = 0;                           // julian: 1 to 365; day of the year: 0 to 365
    int32_t second = 7200;
  };
  int32_t standard_offset = 0;  // seconds east of Greenwich
  bool has_summer = false;
  int32_t summer_offset = 0;
  Change to_summer, to_standard;
};

// nullopt: not a TZ string.
std::optional<TzRule> parse_tz_rule(std::string_view text);

// When the change comes in that year, in seconds of the clock before the change.
int64_t local_seconds(const TzRule::Change& change, int64_t year);

}  // namespace fabric
