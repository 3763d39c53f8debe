// SPDX-License-Identifier: Apache-2.0
// POSIX.1-2017, "Other Environment Variables", TZ, with the signed hours of RFC 8536.
#include "base/tz_rule.hpp"

#include "base/civil_time.hpp"

namespace fabric {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool next_is(char c) const { return rest_.starts_with(c); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool number(int least, int most, int& out) {
    size_t digits = 0;
    int value = 0;
    while (digits < rest_.size() && digits < 4 && is_digit(rest_[digits]))
      value = value * 10 + (rest_[digits++] - '0');
    if (digits == 0 || value < least || value > most) return false;
    rest_.remove_prefix(digits);
    out = value;
    return true;
  }

  // "<+03>" or at least three letters. What it says is of no interest.
  bool name() {
    const bool quoted = take('<');
    size_t length = 0;
    while (length < rest_.size() && in_name(rest_[length], quoted)) ++length;
    if (length < (quoted ? 1 : 3)) return false;
    rest_.remove_prefix(length);
    return !quoted || take('>');
  }

  // [+-]hh[:mm[:ss]]
  bool time(int most_hours, int32_t& seconds) {
    const bool negative = take('-');
    if (!negative) take('+');
    int hours = 0;
    int minutes = 0;
    int rest = 0;
    if (!number(0, most_hours, hours)) return false;
    if (take(':') && !number(0, 59, minutes)) return false;
    if (next_is(':') && (!take(':') || !number(0, 59, rest))) return false;
    seconds = hours * 3600 + minutes * 60 + rest;
    if (negative) seconds = -seconds;
    return true;
  }

  bool change(TzRule::Change& out) {
    using Form = TzRule::Change::Form;
    if (take('M')) {
      out.form = Form::month_week_day;
      if (!number(1, 12, out.month) || !take('.') || !number(1, 5, out.week) || !take('.') ||
          !number(0, 6, out.weekday))
        return false;
    } else if (take('J')) {
      out.form = Form::julian_without_leap_day;
      if (!number(1, 365, out.day)) return false;
    } else {
      out.form = Form::day_of_year;
      if (!number(0, 365, out.day)) return false;
    }
    return !take('/') || time(167, out.second);
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool in_name(char c, bool quoted) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (quoted && (is_digit(c) || c == '+' || c == '-'));
  }
  std::string_view rest_;
};

}  // namespace

std::optional<TzRule> parse_tz_rule(std::string_view text) {
  Reader in(text);
  TzRule rule;
  if (!in.name() || !in.time(24, rule.standard_offset)) return std::nullopt;
  rule.standard_offset = -rule.standard_offset;  // POSIX counts westwards
  if (in.at_end()) return rule;
  rule.has_summer = true;
  if (!in.name()) return std::nullopt;
  rule.summer_offset = rule.standard_offset + 3600;
  if (!in.at_end() && !in.next_is(',')) {
    if (!in.time(24, rule.summer_offset)) return std::nullopt;
    rule.summer_offset = -rule.summer_offset;
  }
  if (in.at_end()) {  // what the C library takes then
    rule.to_summer = {TzRule::Change::Form::month_week_day, 3, 2, 0, 0, 7200};
    rule.to_standard = {TzRule::Change::Form::month_week_day, 11, 1, 0, 0, 7200};
    return rule;
  }
  if (!in.take(',') || !in.change(rule.to_summer) || !in.take(',') ||
      !in.change(rule.to_standard) || !in.at_end())
    return std::nullopt;
  return rule;
}

int64_t local_seconds(const TzRule::Change& change, int64_t year) {
  using Form = TzRule::Change::Form;
  int64_t day = 0;
  if (change.form == Form::day_of_year) {
    day = days_from_civil(year, 1, 1) + change.day;
  } else if (change.form == Form::julian_without_leap_day) {
    const bool beyond_leap_day = is_leap_year(year) && change.day >= 60;
    day = days_from_civil(year, 1, change.day) + (beyond_leap_day ? 1 : 0);
  } else {
    const int64_t first = days_from_civil(year, change.month, 1);
    day = first + (change.weekday - weekday_of(first) + 7) % 7 + int64_t{7} * (change.week - 1);
    if (day >= first + days_in_month(year, change.month)) day -= 7;
  }
  return day * k_seconds_of_day + change.second;
}

}  // namespace fabric
