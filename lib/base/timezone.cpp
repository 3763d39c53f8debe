// SPDX-License-Identifier: Apache-2.0
#include "base/timezone.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/tz_file.hpp"
#include "base/tz_rule.hpp"

namespace fabric {
namespace {

constexpr const char* k_directory = "/usr/share/zoneinfo/";
constexpr size_t k_longest_name = 64;
constexpr size_t k_largest_file = size_t{1} << 20;
constexpr int64_t k_second = 1000000;
// The calendar repeats after 400 years, weekdays included, so a rule is only laid out that far.
constexpr int64_t k_cycle = int64_t{146097} * k_seconds_of_day;
constexpr int64_t k_last_second = INT64_MAX / k_second;  // of a WallTime
constexpr int64_t k_widest_offset = 26 * 3600;

int64_t whole_seconds(WallTime t) { return t.us / k_second - (t.us % k_second < 0 ? 1 : 0); }

WallTime wall_time(int64_t seconds) {
  return {std::clamp(seconds, -k_last_second, k_last_second) * k_second};
}

// How many whole cycles `t` is beyond the last one that is laid out, which ends at `end`.
int64_t cycles_beyond(int64_t t, int64_t end) { return t < end ? 0 : (t - end) / k_cycle + 1; }

void lay_out_year(const TzRule& rule, int64_t year, int64_t after,
                  std::vector<TzTable::Change>& out) {
  TzTable::Change back{local_seconds(rule.to_standard, year) - rule.summer_offset,
                       rule.standard_offset};
  TzTable::Change forth{local_seconds(rule.to_summer, year) - rule.standard_offset,
                        rule.summer_offset};
  // Summer time all the year is written as two changes at one moment: that to summer wins.
  for (const TzTable::Change& change :
       back.at <= forth.at ? std::array{back, forth} : std::array{forth, back})
    if (change.at > after) out.push_back(change);
}

// Leaves only what changes something, in order; of several at one moment the last.
void tidy(int32_t offset, std::vector<TzTable::Change>& changes) {
  std::stable_sort(changes.begin(), changes.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  std::vector<TzTable::Change> kept;
  for (size_t i = 0; i < changes.size(); ++i) {
    if (i + 1 < changes.size() && changes[i + 1].at == changes[i].at) continue;
    if (changes[i].offset == offset) continue;
    offset = changes[i].offset;
    kept.push_back(changes[i]);
  }
  changes = std::move(kept);
}

bool could_be_a_name(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '+' || c == '/';  // no dots, so no ".."
  };
  return !name.empty() && name.size() <= k_longest_name && name[0] != '/' &&
         std::all_of(name.begin(), name.end(), allowed);
}

std::string quoted(std::string_view text) {
  std::string out;
  json::append_quoted(out, text.substr(0, k_longest_name));
  return out;
}

tl::unexpected<Error> no_such_zone(std::string_view name) {
  std::string hint;
  for (const std::string& near : nearest_time_zones(name))
    hint += (hint.empty() ? "did you mean " : " or ") + near;
  if (!hint.empty()) hint += "?";
  if (hint.empty())
    hint = std::string("write a name such as Europe/Berlin; all are in ") + k_directory;
  if (::access(k_directory, R_OK) != 0)
    hint = "the time zones of this machine are missing; install the package tzdata";
  return fail(ErrorCode::usage, "there is no time zone " + quoted(name), std::move(hint));
}

// "Europe/Berlin" when /etc/localtime is a link to it.
std::string linked_name() {
  std::array<char, 4096> target{};
  const ssize_t size = ::readlink("/etc/localtime", target.data(), target.size());
  if (size <= 0) return "localtime";
  const std::string_view path(target.data(), static_cast<size_t>(size));
  const size_t at = path.find("zoneinfo/");
  const std::string_view name = at == std::string_view::npos ? "" : path.substr(at + 9);
  return could_be_a_name(name) ? std::string(name) : "localtime";
}

Result<TimeZone> from_file(std::string name, const std::string& path) {
  const std::string bytes = TRY(read_file(path, k_largest_file));
  return in_context(TimeZone::from_file_content(std::move(name), bytes), path);
}

}  // namespace

struct TimeZone::Zone {
  std::string name;
  int32_t first_offset = 0;
  std::vector<TzTable::Change> changes;
  bool repeats = false;
  int64_t end = INT64_MAX;  // when the zone repeats: the last cycle that is laid out ends here

  [[nodiscard]] int64_t cycles(int64_t t) const { return repeats ? cycles_beyond(t, end) : 0; }
  // Index of the first change after `t`.
  [[nodiscard]] size_t after(int64_t t) const {
    const auto it = std::upper_bound(changes.begin(), changes.end(), t,
                                     [](int64_t a, const auto& c) { return a < c.at; });
    return static_cast<size_t>(it - changes.begin());
  }
  [[nodiscard]] int32_t offset_before(size_t i) const {
    return i == 0 ? first_offset : changes[i - 1].offset;
  }
  void lay_out(const TzRule& rule);
};

void TimeZone::Zone::lay_out(const TzRule& rule) {
  const bool fresh = changes.empty();
  const int64_t last = fresh ? INT64_MIN : changes.back().at;
  const int64_t year = fresh ? 1900 : civil_from_seconds(last).year;
  if (fresh) first_offset = rule.standard_offset;
  if (!rule.has_summer) return;
  for (int64_t y = year; y <= year + 404; ++y) lay_out_year(rule, y, last, changes);
  tidy(first_offset, changes);
  // The last year is only there for what it takes away at the end of the year before.
  const int64_t enough = days_from_civil(year + 404, 7, 1) * k_seconds_of_day;
  while (!changes.empty() && changes.back().at > enough) changes.pop_back();
  // The cycle before this moment, and a day around it, follows the rule and nothing else.
  end = days_from_civil(year + 402, 1, 1) * k_seconds_of_day;
  repeats = true;
}

Result<TimeZone> TimeZone::from_file_content(std::string name, std::string_view bytes) {
  TzTable table = TRY(parse_tz_file(bytes));
  auto zone = std::make_shared<Zone>();
  zone->name = std::move(name);
  zone->first_offset = table.first_offset;
  zone->changes = std::move(table.changes);
  if (!table.rule.empty()) {
    const std::optional<TzRule> rule = parse_tz_rule(table.rule);
    if (!rule)
      return fail(ErrorCode::failed, "not a time zone file: bad rule " + quoted(table.rule));
    zone->lay_out(*rule);
  }
  return TimeZone(std::move(zone));
}

Result<TimeZone> TimeZone::from_rule(const std::string& rule) {
  const std::optional<TzRule> parsed = parse_tz_rule(rule);
  if (!parsed) return fail(ErrorCode::usage, "there is no time zone " + quoted(rule));
  auto zone = std::make_shared<Zone>();
  zone->name = rule;
  zone->lay_out(*parsed);
  return TimeZone(std::move(zone));
}

TimeZone TimeZone::utc() {
  auto zone = std::make_shared<Zone>();
  zone->name = "UTC";
  return TimeZone(std::move(zone));
}

Result<TimeZone> TimeZone::load(const std::string& name) {
  if (name == "UTC") return utc();  // also where there is no tzdata
  if (!could_be_a_name(name)) return no_such_zone(name);
  Result<TimeZone> zone = from_file(name, k_directory + name);
  if (zone) return zone;
  if (zone.error().message.find("leap seconds") != std::string::npos)
    return fail(ErrorCode::usage, zone.error().message, "leave the \"right/\" away");
  return no_such_zone(name);
}

Result<TimeZone> TimeZone::local() {
  const char* variable = std::getenv("TZ");
  if (!variable) {
    if (::access("/etc/localtime", F_OK) != 0) return utc();
    return from_file(linked_name(), "/etc/localtime");
  }
  std::string name = variable[0] == ':' ? variable + 1 : variable;
  if (name.empty()) return utc();
  if (name[0] == '/') return in_context(from_file(name, name), "TZ");
  Result<TimeZone> zone = load(name);
  if (!zone)
    if (Result<TimeZone> rule = from_rule(name)) return rule;
  return in_context(std::move(zone), "TZ");
}

const std::string& TimeZone::name() const { return zone_->name; }

int32_t TimeZone::offset_at(WallTime t) const {
  int64_t seconds = whole_seconds(t);
  seconds -= zone_->cycles(seconds) * k_cycle;
  return zone_->offset_before(zone_->after(seconds));
}

CivilTime TimeZone::to_local(WallTime t) const {
  const int32_t offset = offset_at(t);
  CivilTime local = civil_from_seconds(whole_seconds(t) + offset);
  local.utc_offset_seconds = offset;
  return local;
}

std::optional<WallTime> TimeZone::next_change(WallTime t) const {
  const int64_t seconds = whole_seconds(t);
  const int64_t cycles = zone_->cycles(seconds) * k_cycle;
  const size_t i = zone_->after(seconds - cycles);
  if (i == zone_->changes.size()) return std::nullopt;
  const int64_t change = zone_->changes[i].at + cycles;
  return change > k_last_second ? std::nullopt : std::optional(wall_time(change));
}

LocalTimes TimeZone::from_local(const CivilTime& local) const {
  CivilTime clamped = local;
  clamped.year = std::clamp(local.year, -200000, 200000);
  const int64_t wanted = civil_seconds(clamped);
  const int64_t cycles = zone_->cycles(wanted) * k_cycle;
  const int64_t at = wanted - cycles;
  std::optional<int64_t> first;
  int64_t last = 0;
  int64_t gap = at;
  // Every stretch of one offset near that time may hold a moment that shows it.
  size_t i = zone_->after(at - k_widest_offset);
  for (;; ++i) {
    const bool ends = i < zone_->changes.size();
    const int64_t begin = i == 0 ? INT64_MIN : zone_->changes[i - 1].at;
    const int64_t end = ends ? zone_->changes[i].at : INT64_MAX;
    const int64_t moment = at - zone_->offset_before(i);
    if (moment >= begin && moment < end) {
      if (!first) first = moment;
      last = moment;
    }
    // Before it the clock shows less, after it more: the clock was put forward here.
    if (ends && moment >= end && at - zone_->changes[i].offset < end) gap = end;
    if (!ends || end > at + k_widest_offset) break;
  }
  if (!first) return {LocalTimes::Kind::skipped, wall_time(gap + cycles), wall_time(gap + cycles)};
  return {*first == last ? LocalTimes::Kind::unique : LocalTimes::Kind::repeated,
          wall_time(*first + cycles), wall_time(last + cycles)};
}

}  // namespace fabric
