// SPDX-License-Identifier: Apache-2.0
// When a recurring task is due: "0 9 * * 1-5", "@daily" or "every 15m". Pure.
//
// Five fields: minute hour day-of-month month day-of-week. A field is a list of numbers, ranges and
// steps (1,5-9,*/2,10-30/5); months and days of the week have names (jan, mon); 7 is Sunday too; L
// is the last day of the month. As in Vixie's cron a field counts as restricted when it does not
// begin with *; if both day fields are restricted, either may match, else both must.
//
// Daylight saving, as in Debian's cron. An expression whose minute or hour begins with * follows
// the clock on the wall minute by minute: it does not run for minutes that the clock leaves out,
// and runs twice in those that it repeats. Any other has fixed times of day, and each of them runs
// once: at the end of the gap if the clock leaves it out (once for all that it leaves out), and the
// first time only if the clock repeats it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/timezone.hpp"

namespace fabric {

// The values that one field allows.
struct CronField {
  uint64_t values = 0;   // bit n: n is allowed
  bool starred = false;  // begins with *
  int star_step = 1;     // 2 in */2
  [[nodiscard]] bool has(int value) const { return (values >> value & 1) != 0; }
  bool operator==(const CronField&) const = default;
};

class CronExpression {
 public:
  // A usage error says which field is wrong, why, and what it may be. What can never come, as
  // 30 February, is refused too.
  static Result<CronExpression> parse(std::string_view text);

  // The first time after `after`; always later than it. Of an interval: anchor + k * interval, the
  // zone is of no importance. nullopt: not before the year 10000.
  [[nodiscard]] std::optional<WallTime> next(WallTime after, const TimeZone& zone,
                                             WallTime anchor = {}) const;

  // Set for "every 15m", "@every 15m" and "15m".
  [[nodiscard]] std::optional<Duration> interval() const;
  // Normalised; parse() reads it back to an equal expression.
  [[nodiscard]] std::string to_string() const;
  bool operator==(const CronExpression&) const = default;

 private:
  CronExpression() = default;
  static Result<CronExpression> parse_interval(std::string_view text);
  static Result<CronExpression> parse_fields(std::string_view text);
  [[nodiscard]] bool comes() const;
  [[nodiscard]] bool fixed_times() const;
  [[nodiscard]] bool day_matches(int64_t year, int month, int day, int weekday) const;
  [[nodiscard]] std::optional<int64_t> next_local(int64_t from) const;
  [[nodiscard]] std::optional<WallTime> next_fixed(WallTime after, const TimeZone& zone) const;
  [[nodiscard]] std::optional<WallTime> next_wild(WallTime after, const TimeZone& zone) const;

  CronField minute_, hour_, day_, month_, weekday_;
  bool last_day_ = false;  // L
  Duration interval_;      // 0: none
};

}  // namespace fabric
