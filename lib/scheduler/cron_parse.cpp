// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "base/json.hpp"
#include "scheduler/cron.hpp"

namespace fabric {
namespace {

constexpr size_t k_longest_text = 1024;
constexpr Duration k_shortest_interval = Duration::seconds(1);
constexpr Duration k_longest_interval = Duration::seconds(int64_t{3660} * 86400);

struct FieldKind {
  std::string_view name;
  int least, most;
  std::string_view names;  // of the values from `least` on, three letters each
  std::string_view allowed;
};
constexpr std::array<FieldKind, 5> k_fields{{
    {"minute", 0, 59, "", "0-59"},
    {"hour", 0, 23, "", "0-23"},
    {"day of the month", 1, 31, "", "1-31 and L for the last"},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", "1-12 and jan-dec"},
    {"day of the week", 0, 7, "sunmontuewedthufrisat", "0-7 and sun-sat; 0 and 7 are Sunday"},
}};
constexpr size_t k_day = 2;
constexpr size_t k_weekday = 4;

struct Shortcut {
  std::string_view name, fields;
};
constexpr std::array<Shortcut, 7> k_shortcuts{{{"@hourly", "0 * * * *"},
                                               {"@daily", "0 0 * * *"},
                                               {"@midnight", "0 0 * * *"},
                                               {"@weekly", "0 0 * * 0"},
                                               {"@monthly", "0 0 1 * *"},
                                               {"@yearly", "0 0 1 1 *"},
                                               {"@annually", "0 0 1 1 *"}}};

std::string quoted(std::string_view text) {
  std::string out;
  json::append_quoted(out, text.substr(0, 60));
  return out;
}

tl::unexpected<Error> bad_expression(const std::string& why) {
  return fail(
      ErrorCode::usage, "invalid cron expression: " + why,
      "write minute hour day-of-month month day-of-week, for example \"0 9 * * mon-fri\"; or "
      "@hourly, @daily, @weekly, @monthly, @yearly; or every 15m");
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> words;
  for (;;) {
    const size_t end = text.find_first_of(separators);
    words.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words = split(text, " \t");
  std::erase_if(words, [](std::string_view word) { return word.empty(); });
  return words;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// Reads one field; the first thing that is wrong with it stays in why().
class FieldReader {
 public:
  explicit FieldReader(const FieldKind& kind) : kind_(kind) {}

  Result<CronField> read(std::string_view text, bool* last_day) {
    CronField field;
    field.starred = text.starts_with('*');
    bool first = true;
    for (std::string_view element : split(text, ",")) {
      if (last_day && lower(element) == "l")
        *last_day = true;
      else
        TRY_STATUS(read_element(element, field, first));
      first = false;
    }
    if (kind_.most == 7 && field.has(7)) field.values = (field.values & 0x7f) | 1;
    return field;
  }

 private:
  Status read_element(std::string_view text, CronField& field, bool first) {
    const size_t slash = text.find('/');
    const std::string_view range = text.substr(0, slash);
    const size_t dash = range.find('-');
    int begin = kind_.least;
    int end = kind_.most == 7 ? 6 : kind_.most;
    if (range != "*") {
      begin = end = TRY(value(range.substr(0, dash)));
      if (dash != std::string_view::npos) end = TRY(value(range.substr(dash + 1)));
      if (kind_.most == 7 && end == 0 && begin > 0) end = 7;  // sat-sun
      if (end < begin) return bad("the range " + quoted(range) + " runs backwards");
    }
    int step = 1;
    if (slash != std::string_view::npos) {
      if (range != "*" && dash == std::string_view::npos)
        return bad(quoted(text) + " has a step but no range; write " + std::string(range) + "-" +
                   std::to_string(kind_.most) + std::string(text.substr(slash)));
      step = number(text.substr(slash + 1));
      if (step < 1 || step > kind_.most)
        return bad("a step is from 1 to " + std::to_string(kind_.most) + ", found " +
                   quoted(text.substr(slash + 1)));
    }
    if (first && range == "*") field.star_step = step;
    for (int i = begin; i <= end; i += step) field.values |= uint64_t{1} << i;
    return {};
  }

  Result<int> value(std::string_view text) {
    const std::string name = lower(text);
    for (size_t i = 0; i + 3 <= kind_.names.size(); i += 3)
      if (name == kind_.names.substr(i, 3)) return kind_.least + static_cast<int>(i / 3);
    if (text.empty()) return bad("a value is missing");
    const int found = number(text);
    if (found < kind_.least || found > kind_.most) return bad(quoted(text) + " is not allowed");
    return found;
  }

  // -1: not a number of a sensible length.
  static int number(std::string_view text) {
    if (text.empty() || text.size() > 4) return -1;
    int out = 0;
    for (char c : text) {
      if (c < '0' || c > '9') return -1;
      out = out * 10 + (c - '0');
    }
    return out;
  }

  [[nodiscard]] tl::unexpected<Error> bad(const std::string& why) const {
    return fail(ErrorCode::usage,
                "invalid cron expression: " + std::string(kind_.name) + ": " + why,
                "allowed are " + std::string(kind_.allowed) +
                    ", *, lists (1,2), ranges (1-5) and steps (*/2, 1-5/2)");
  }

  const FieldKind& kind_;
};

// "1-5", "0-30/10" or "7": the longest even row that begins with the lowest value left in `values`,
// which is taken away.
std::string take_row(uint64_t& values) {
  const int begin = std::countr_zero(values);
  values &= values - 1;
  std::string out = std::to_string(begin);
  if (values == 0) return out;
  const int step = std::countr_zero(values) - begin;
  int end = begin + step;
  while (end + step < 64 && (values >> (end + step) & 1) != 0) end += step;
  if (end < begin + 2 * step) return out;
  for (int i = begin + step; i <= end; i += step) values &= ~(uint64_t{1} << i);
  out += "-" + std::to_string(end);
  return step == 1 ? out : out + "/" + std::to_string(step);
}

std::string field_text(const CronField& field, const FieldKind& kind, bool last_day) {
  std::string out;
  uint64_t values = field.values;
  if (field.starred) {
    out = field.star_step == 1 ? "*" : "*/" + std::to_string(field.star_step);
    const int most = kind.most == 7 ? 6 : kind.most;
    for (int i = kind.least; i <= most; i += field.star_step) values &= ~(uint64_t{1} << i);
  }
  auto add = [&](const std::string& part) { out += (out.empty() ? "" : ",") + part; };
  while (values != 0) add(take_row(values));
  if (last_day) add("L");
  return out;
}

}  // namespace

Result<CronExpression> CronExpression::parse(std::string_view text) {
  if (text.size() > k_longest_text)
    return bad_expression("it is longer than " + std::to_string(k_longest_text) + " bytes");
  const std::vector<std::string_view> words = split_words(text);
  if (words.empty()) return bad_expression("it is empty");
  const std::string first = lower(words[0]);
  if (first == "every" || first == "@every") {
    if (words.size() != 2) return bad_expression("after every comes one duration, such as 15m");
    return parse_interval(words[1]);
  }
  if (first == "@reboot") return bad_expression("@reboot is not a time");
  if (first[0] == '@') {
    for (const Shortcut& shortcut : k_shortcuts)
      if (words.size() == 1 && shortcut.name == first) return parse_fields(shortcut.fields);
    return bad_expression("there is no " + quoted(text));
  }
  if (words.size() == 1 && parse_duration(words[0])) return parse_interval(words[0]);
  return parse_fields(text);
}

Result<CronExpression> CronExpression::parse_interval(std::string_view text) {
  const Duration interval = TRY(in_context(parse_duration(text), "every"));
  if (interval < k_shortest_interval || interval > k_longest_interval || interval.ns % 1000000 != 0)
    return fail(ErrorCode::usage, "every: the interval is " + quoted(text),
                "it is from " + fabric::to_string(k_shortest_interval) + " to " +
                    fabric::to_string(k_longest_interval) + ", in whole milliseconds");
  CronExpression expression;
  expression.interval_ = interval;
  return expression;
}

Result<CronExpression> CronExpression::parse_fields(std::string_view text) {
  const std::vector<std::string_view> words = split_words(text);
  if (words.size() != k_fields.size())
    return bad_expression("it has " + std::to_string(words.size()) +
                          (words.size() == 1 ? " field" : " fields") + " and not 5");
  CronExpression expression;
  const std::array<CronField*, 5> fields{&expression.minute_, &expression.hour_, &expression.day_,
                                         &expression.month_, &expression.weekday_};
  for (size_t i = 0; i < fields.size(); ++i)
    *fields[i] =
        TRY(FieldReader(k_fields[i]).read(words[i], i == k_day ? &expression.last_day_ : nullptr));
  if (!expression.comes())
    return fail(ErrorCode::usage,
                "invalid cron expression: it never comes: no month " + std::string(words[3]) +
                    " has a day " + std::string(words[2]),
                "change the day of the month or the month");
  return expression;
}

// Only a day that none of the months has keeps an expression from ever coming: each date falls on
// each day of the week in the end.
bool CronExpression::comes() const {
  if (last_day_ || (!day_.starred && !weekday_.starred)) return true;
  for (int month = 1; month <= 12; ++month)
    for (int day = 1; month_.has(month) && day <= days_in_month(2000, month); ++day)
      if (day_.has(day)) return true;
  return false;
}

std::string CronExpression::to_string() const {
  if (interval_.ns != 0) return "every " + fabric::to_string(interval_);
  return field_text(minute_, k_fields[0], false) + " " + field_text(hour_, k_fields[1], false) +
         " " + field_text(day_, k_fields[k_day], last_day_) + " " +
         field_text(month_, k_fields[3], false) + " " +
         field_text(weekday_, k_fields[k_weekday], false);
}

}  // namespace fabric
