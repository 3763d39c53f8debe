// SPDX-License-Identifier: Apache-2.0
// Dates and times of day as a calendar and a clock on the wall show them, without any time zone.
// The Gregorian calendar, also before it was introduced. Pure.
#pragma once

#include <cstdint>

namespace fabric {

constexpr int64_t k_seconds_of_day = 86400;

struct CivilTime {
  int year = 1970;
  int month = 1;  // from 1
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int weekday = 4;                 // 0 is Sunday; not looked at where a CivilTime is an argument
  int32_t utc_offset_seconds = 0;  // east of Greenwich; likewise
  bool operator==(const CivilTime&) const = default;
};

constexpr bool is_leap_year(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
constexpr int days_in_month(int64_t year, int month) {
  if (month == 2) return is_leap_year(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// Days since 1970-01-01. Months and days beyond their ends carry: month 13 is the next January.
constexpr int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  year += (month - 1) / 12;
  month = (month - 1) % 12 + 1;
  if (month < 1) {
    month += 12;
    --year;
  }
  if (month <= 2) --year;  // years that begin in March end with the leap day
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year +
         day - 1 - 719468;
}

constexpr int weekday_of(int64_t days) { return static_cast<int>(((days + 4) % 7 + 7) % 7); }

// Seconds since 1970-01-01T00:00:00 on the same clock.
constexpr int64_t civil_seconds(const CivilTime& t) {
  return days_from_civil(t.year, t.month, t.day) * k_seconds_of_day + int64_t{t.hour} * 3600 +
         int64_t{t.minute} * 60 + t.second;
}

constexpr CivilTime civil_from_seconds(int64_t seconds) {
  int64_t days = seconds / k_seconds_of_day;
  int64_t rest = seconds % k_seconds_of_day;
  if (rest < 0) {
    rest += k_seconds_of_day;
    --days;
  }
  const int64_t shifted = days + 719468;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const int64_t day_of_era = shifted - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  CivilTime t;
  t.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  t.year = static_cast<int>(year_of_era + era * 400 + (t.month <= 2 ? 1 : 0));
  t.day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  t.hour = static_cast<int>(rest / 3600);
  t.minute = static_cast<int>(rest / 60 % 60);
  t.second = static_cast<int>(rest % 60);
  t.weekday = weekday_of(days);
  return t;
}

}  // namespace fabric
