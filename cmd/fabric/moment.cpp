// SPDX-License-Identifier: Apache-2.0
#include "fabric/moment.hpp"

#include <algorithm>
#include <ctime>
#include <optional>
#include <string>

#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

// A 9 in the pattern stands for a digit, anything else for itself.
bool looks_like(std::string_view text, std::string_view pattern) {
  if (text.size() != pattern.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (pattern[i] == '9' ? !digit : text[i] != pattern[i]) return false;
  }
  return true;
}

int number_at(std::string_view text, size_t at, size_t digits) {
  int value = 0;
  for (char c : text.substr(at, digits)) value = value * 10 + (c - '0');
  return value;
}

bool read_clock(std::string_view text, tm& parts) {
  parts.tm_hour = number_at(text, 0, 2);
  parts.tm_min = number_at(text, 3, 2);
  parts.tm_sec = text.size() > 5 ? number_at(text, 6, 2) : 0;
  return parts.tm_hour < 24 && parts.tm_min < 60 && parts.tm_sec < 60;
}

bool same_clock(const tm& a, const tm& b) {
  return a.tm_year == b.tm_year && a.tm_mon == b.tm_mon && a.tm_mday == b.tm_mday &&
         a.tm_hour == b.tm_hour && a.tm_min == b.tm_min && a.tm_sec == b.tm_sec;
}

// nullopt when no local clock ever shows that. With daylight saving time first: where both are
// right, that is the earlier.
std::optional<WallTime> from_local(const tm& wanted) {
  for (int saving : {1, 0, -1}) {
    tm parts = wanted;
    parts.tm_isdst = saving;
    const std::time_t seconds = std::mktime(&parts);
    tm shown{};
    if (!::localtime_r(&seconds, &shown) || !same_clock(shown, wanted)) continue;
    return WallTime{int64_t{seconds} * 1000000};
  }
  return std::nullopt;
}

tl::unexpected<Error> bad(std::string_view text) {
  return fail(ErrorCode::usage, "invalid time '" + printable(text.substr(0, 40)) + "'",
              "write 14:30, '2026-11-25 14:30', or RFC 3339: 2026-11-25T14:30:00Z");
}

tl::unexpected<Error> skipped(std::string_view text) {
  return fail(ErrorCode::usage,
              "'" + printable(text) + "' does not exist: the clocks are changed then",
              "say it in RFC 3339 with an offset, for example 2026-03-29T02:30:00+01:00");
}

Result<WallTime> next_time_of_day(std::string_view text, WallTime now) {
  const std::time_t now_seconds = now.us / 1000000;
  tm today{};
  if (!::localtime_r(&now_seconds, &today)) return bad(text);
  for (int day = 0; day < 3; ++day) {
    tm date{};
    date.tm_year = today.tm_year;
    date.tm_mon = today.tm_mon;
    date.tm_mday = today.tm_mday + day;
    date.tm_hour = 12;
    date.tm_isdst = -1;
    std::mktime(&date);  // the end of the month
    if (!read_clock(text, date)) return bad(text);
    const std::optional<WallTime> time = from_local(date);
    if (time && *time > now) return *time;
  }
  return skipped(text);
}

}  // namespace

Result<WallTime> parse_moment(std::string_view text, WallTime now) {
  if (looks_like(text, "99:99")) return next_time_of_day(text, now);
  if (!looks_like(text, "9999-99-99 99:99") && !looks_like(text, "9999-99-99 99:99:99")) {
    Result<WallTime> time = parse_rfc3339(text);
    return time ? time : bad(text);
  }
  tm parts{};
  parts.tm_year = number_at(text, 0, 4) - 1900;
  parts.tm_mon = number_at(text, 5, 2) - 1;
  parts.tm_mday = number_at(text, 8, 2);
  if (!read_clock(text.substr(11), parts)) return bad(text);
  tm checked = parts;  // 30 February, month 13
  ::timegm(&checked);
  if (!same_clock(checked, parts)) return bad(text);
  const std::optional<WallTime> time = from_local(parts);
  if (!time) return skipped(text);
  return *time;
}

Result<WallTime> parse_moment_or_delay(std::string_view text, WallTime now) {
  if (!text.starts_with('+')) return parse_moment(text, now);
  return now + TRY(parse_duration(text.substr(1)));
}

}  // namespace fabric::cmd
