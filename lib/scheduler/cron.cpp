// SPDX-License-Identifier: Apache-2.0
// When an expression comes next. How it is read is in cron_parse.cpp.
#include "scheduler/cron.hpp"

#include <algorithm>
#include <bit>

namespace fabric {
namespace {

constexpr int64_t k_second = 1000000;
constexpr int64_t k_last_year = 9999;  // RFC 3339 has no more
constexpr WallTime k_earliest{days_from_civil(1, 1, 1) * k_seconds_of_day * k_second};
constexpr WallTime k_latest{days_from_civil(k_last_year + 1, 1, 1) * k_seconds_of_day * k_second};

// The least allowed value from `from` on; -1: there is none.
int least(const CronField& field, int from) {
  const uint64_t left = from > 63 ? 0 : field.values >> from << from;
  return left == 0 ? -1 : std::countr_zero(left);
}

int64_t local_second(WallTime t, const TimeZone& zone) { return civil_seconds(zone.to_local(t)); }

int64_t whole_seconds_up(WallTime t) { return t.us / k_second + (t.us % k_second > 0 ? 1 : 0); }

int64_t next_minute(int64_t seconds) {
  const int64_t rest = seconds % 60;
  return rest == 0 ? seconds : seconds + (rest < 0 ? -rest : 60 - rest);
}

}  // namespace

bool CronExpression::fixed_times() const { return !minute_.starred && !hour_.starred; }

std::optional<Duration> CronExpression::interval() const {
  return interval_.ns == 0 ? std::nullopt : std::optional(interval_);
}

bool CronExpression::day_matches(int64_t year, int month, int day, int weekday) const {
  const bool by_day = day_.has(day) || (last_day_ && day == days_in_month(year, month));
  const bool by_weekday = weekday_.has(weekday);
  return day_.starred || weekday_.starred ? by_day && by_weekday : by_day || by_weekday;
}

// The first matching minute at or after `from`, which is a whole minute, on a clock that is never
// changed. Every date has its weekday again within 40 years, so the loops end soon.
std::optional<int64_t> CronExpression::next_local(int64_t from) const {
  const CivilTime start = civil_from_seconds(from);
  for (int64_t year = start.year; year <= k_last_year; ++year) {
    for (int month = 1; month <= 12; ++month) {
      if (!month_.has(month) || (year == start.year && month < start.month)) continue;
      const bool this_month = year == start.year && month == start.month;
      const int64_t before = days_from_civil(year, month, 0);
      for (int day = this_month ? start.day : 1; day <= days_in_month(year, month); ++day) {
        if (!day_matches(year, month, day, weekday_of(before + day))) continue;
        const bool today = this_month && day == start.day;
        const int64_t midnight = (before + day) * k_seconds_of_day;
        int hour = least(hour_, today ? start.hour : 0);
        int minute = hour < 0 ? -1 : least(minute_, today && hour == start.hour ? start.minute : 0);
        if (hour >= 0 && minute < 0) {  // too late for this hour
          hour = least(hour_, hour + 1);
          minute = least(minute_, 0);
        }
        if (hour >= 0) return midnight + hour * 3600 + minute * 60;
      }
    }
  }
  return std::nullopt;
}

// Walks the times that the clock should show, and asks when each is due. Those that the clock
// repeats or leaves out are due at or before `after` once they have been run, and are passed over.
std::optional<WallTime> CronExpression::next_fixed(WallTime after, const TimeZone& zone) const {
  const int64_t now = local_second(after, zone);
  std::optional<int64_t> due = next_local(next_minute(now - 59));
  for (; due; due = next_local(*due + 60)) {
    const WallTime moment = zone.from_local(civil_from_seconds(*due)).first;
    if (moment > after) return moment;
  }
  return std::nullopt;
}

// Walks from change to change of the clock, and looks whether the expression comes in between.
std::optional<WallTime> CronExpression::next_wild(WallTime after, const TimeZone& zone) const {
  WallTime begin{after.us + 1};
  std::optional<int64_t> due;
  int64_t looked_from = 0;
  for (;;) {
    const int64_t offset = zone.offset_at(begin);
    const int64_t shown = next_minute(whole_seconds_up(begin) + offset);
    if (!due || shown < looked_from || shown > *due) {
      due = next_local(shown);
      looked_from = shown;
    }
    if (!due) return std::nullopt;
    const WallTime moment{(*due - offset) * k_second};
    const std::optional<WallTime> change = zone.next_change(begin);
    if (!change || moment < *change) return moment;
    begin = *change;
  }
}

std::optional<WallTime> CronExpression::next(WallTime after, const TimeZone& zone,
                                             WallTime anchor) const {
  if (after >= k_latest || anchor >= k_latest) return std::nullopt;
  after = std::max(after, k_earliest);
  anchor = std::max(anchor, k_earliest);
  if (interval_.ns == 0) return fixed_times() ? next_fixed(after, zone) : next_wild(after, zone);
  if (after < anchor) return anchor;
  const int64_t step = interval_.ns / 1000;
  const WallTime due{anchor.us + ((after.us - anchor.us) / step + 1) * step};
  return due < k_latest ? std::optional(due) : std::nullopt;
}

}  // namespace fabric
