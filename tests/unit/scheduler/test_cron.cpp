// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <chrono>
#include <random>

#include "scheduler/cron.hpp"

using namespace fabric;

namespace {

TimeZone zone(const std::string& name) { return TimeZone::load(name).value(); }
WallTime at(const char* text) { return parse_rfc3339(text).value(); }
CronExpression cron(const std::string& text) {
  Result<CronExpression> parsed = CronExpression::parse(text);
  INFO(text << ": " << (parsed ? "" : parsed.error().message));
  REQUIRE(parsed);
  return *parsed;
}
std::string normal(const std::string& text) { return cron(text).to_string(); }

// "03-29 03:00 +0200" for each of the next times, as the clock of the zone shows them.
std::vector<std::string> times(const std::string& text, const char* zone_name, const char* after,
                               size_t count) {
  const TimeZone where = zone(zone_name);
  const CronExpression expression = cron(text);
  std::vector<std::string> out;
  WallTime t = at(after);
  while (out.size() < count) {
    const std::optional<WallTime> due = expression.next(t, where);
    if (!due) break;
    REQUIRE(*due > t);
    t = *due;
    const CivilTime c = where.to_local(t);
    char line[64];
    std::snprintf(line, sizeof line, "%02d-%02d %02d:%02d %+03d%02d", c.month, c.day, c.hour,
                  c.minute, c.utc_offset_seconds / 3600, std::abs(c.utc_offset_seconds / 60 % 60));
    out.emplace_back(line);
  }
  return out;
}
using Times = std::vector<std::string>;

}  // namespace

TEST_CASE("expressions and their normal form") {
  CHECK(normal("0 9 * * 1-5") == "0 9 * * 1-5");
  CHECK(normal(" \t0  9 * * mon-FRI ") == "0 9 * * 1-5");
  CHECK(normal("*/15 * * * *") == "*/15 * * * *");
  CHECK(normal("0-59 0-23 1-31 1-12 0-7") == "0-59 0-23 1-31 1-12 0-6");
  CHECK(normal("10-30/10 22,23,0 * jan,mar,may *") == "10-30/10 0,22,23 * 1-5/2 *");
  CHECK(normal("5,4,3,1 0 * * 7") == "1-5/2,4 0 * * 0");
  CHECK(normal("0 0 * * sat-sun") == "0 0 * * 0,6");
  CHECK(normal("0 0 * * 5-7") == "0 0 * * 0,5,6");
  CHECK(normal("0 0 L * *") == "0 0 L * *");
  CHECK(normal("0 0 15,l * *") == "0 0 15,L * *");
  CHECK(normal("*/20,7 0 * * *") == "*/20,7 0 * * *");
  CHECK(normal("5,* 0 * * *") == "0-59 0 * * *");
  CHECK(normal("@hourly") == "0 * * * *");
  CHECK(normal("@Daily") == "0 0 * * *");
  CHECK(normal("@midnight") == "0 0 * * *");
  CHECK(normal("@weekly") == "0 0 * * 0");
  CHECK(normal("@monthly") == "0 0 1 * *");
  CHECK(normal("@yearly") == "0 0 1 1 *");
  CHECK(normal("@annually") == "0 0 1 1 *");
  CHECK(normal("every 15m") == "every 15m");
  CHECK(normal("@every 90s") == "every 1m30s");
  CHECK(normal("2h") == "every 2h");
  CHECK(cron("0 0 * * 0") == cron("0 0 * * 7"));
  CHECK_FALSE(cron("0 0 */2 * *") == cron("0 0 1-31/2 * *"));  // not the same for the two days
}

TEST_CASE("an error says which field, why, and what is allowed") {
  struct Case {
    std::string text, message, hint;
  };
  const Case cases[] = {
      {"", "it is empty", "minute hour day-of-month month day-of-week"},
      {"  ", "it is empty", ""},
      {"* * * *", "it has 4 fields and not 5", "minute hour"},
      {"0 0 9 * * 1-5", "it has 6 fields and not 5", ""},
      {"daily", "it has 1 field and not 5", "@daily"},
      {"60 * * * *", "minute: \"60\" is not allowed", "0-59"},
      {"* 24 * * *", "hour: \"24\" is not allowed", "0-23"},
      {"* * 0 * *", "day of the month: \"0\" is not allowed", "1-31"},
      {"* * 32 * *", "day of the month: \"32\" is not allowed", ""},
      {"* * * 13 *", "month: \"13\" is not allowed", "jan-dec"},
      {"* * * 0 *", "month: \"0\" is not allowed", ""},
      {"* * * janu *", "month: \"janu\" is not allowed", ""},
      {"* * * mon *", "month: \"mon\" is not allowed", ""},
      {"* * * * 8", "day of the week: \"8\" is not allowed", "sun-sat"},
      {"* * * * -1", "day of the week: a value is missing", ""},
      {"5-1 * * * *", "minute: the range \"5-1\" runs backwards", ""},
      {"* * * * fri-mon", "day of the week: the range \"fri-mon\" runs backwards", ""},
      {"5/15 * * * *", "write 5-59/15", ""},
      {"*/0 * * * *", "a step is from 1 to 59, found \"0\"", ""},
      {"*/60 * * * *", "a step is from 1 to 59", ""},
      {"*/ * * * *", "a step is from 1 to 59", ""},
      {"*/-1 * * * *", "a step is from 1 to 59", ""},
      {"1, * * * *", "minute: a value is missing", ""},
      {", * * * *", "minute: a value is missing", ""},
      {"1- * * * *", "minute: a value is missing", ""},
      {"1-2-3 * * * *", "minute: \"2-3\" is not allowed", ""},
      {"*-3 * * * *", "minute: \"*\" is not allowed", ""},
      {"** * * * *", "minute: \"**\" is not allowed", ""},
      {"1/2/3 * * * *", "minute: ", ""},
      {"+1 * * * *", "minute: \"+1\" is not allowed", ""},
      {"1.5 * * * *", "minute: \"1.5\" is not allowed", ""},
      {"0x1 * * * *", "minute: \"0x1\" is not allowed", ""},
      {"99999999999999999999 * * * *", "minute: ", ""},
      {"L * * * *", "minute: \"L\" is not allowed", ""},
      {"0 0 ? * *", "day of the month: \"?\" is not allowed", ""},
      {"0 0 * * 5#2", "day of the week: \"5#2\" is not allowed", ""},
      {"0 0 30 2 *", "it never comes: no month 2 has a day 30", "change the day"},
      {"0 0 31 2,4,6,9,11 *", "it never comes", ""},
      {"0 0 30,31 feb */2", "it never comes", ""},
      {"@reboot", "@reboot is not a time", ""},
      {"@fortnightly", "there is no \"@fortnightly\"", "@weekly"},
      {"@daily x", "there is no \"@daily x\"", ""},
      {"every", "one duration", ""},
      {"every 5", "every: invalid duration '5'", "30s"},
      {"every 0s", "every: the interval is \"0s\"", "from 1s"},
      {"every 10ms", "every: the interval is", ""},
      {"every 1s1ns", "every: the interval is", "milliseconds"},
      {"every 400000d", "every: ", ""},
      {"every 5m 3s", "one duration", ""},
      {"0 0 * * *\n", "day of the week: \"*\\n\" is not allowed", ""},
      {std::string("0 0 * * *\0", 10), "day of the week: ", ""},
      {"\x1b[2J 0 * * *", "minute: ", ""},
      {std::string(5000, '1'), "longer than 1024 bytes", ""},
  };
  for (const Case& c : cases) {
    const Result<CronExpression> parsed = CronExpression::parse(c.text);
    INFO(c.text.substr(0, 60));
    REQUIRE_FALSE(parsed);
    INFO(parsed.error().message << " / " << parsed.error().hint);
    CHECK(parsed.error().code == ErrorCode::usage);
    CHECK(parsed.error().message.find(c.message) != std::string::npos);
    CHECK(parsed.error().message.find('\x1b') == std::string::npos);
    CHECK(parsed.error().message.size() < 300);
    CHECK(parsed.error().hint.find(c.hint) != std::string::npos);
  }
}

TEST_CASE("the next times") {
  CHECK(times("0 9 * * 1-5", "Europe/Berlin", "2026-11-27T12:00:00Z", 2) ==
        Times{"11-30 09:00 +0100", "12-01 09:00 +0100"});
  CHECK(times("30 4 1,15 * 5", "UTC", "2026-05-01T00:00:00Z", 4) ==  // either day
        Times{"05-01 04:30 +0000", "05-08 04:30 +0000", "05-15 04:30 +0000", "05-22 04:30 +0000"});
  CHECK(times("0 0 */2 * 1", "UTC", "2026-06-01T12:00:00Z", 2) ==  // both: */2 begins with *
        Times{"06-15 00:00 +0000", "06-29 00:00 +0000"});
  CHECK(times("0 0 1-31/2 * 1", "UTC", "2026-06-01T12:00:00Z", 2) ==
        Times{"06-03 00:00 +0000", "06-05 00:00 +0000"});
  CHECK(times("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", 3) ==
        Times{"03-31 00:00 +0000", "05-31 00:00 +0000", "07-31 00:00 +0000"});
  CHECK(times("59 23 L * *", "UTC", "2028-01-31T23:59:00Z", 3) ==
        Times{"02-29 23:59 +0000", "03-31 23:59 +0000", "04-30 23:59 +0000"});
  CHECK(times("10-30/10 8-10/2 * * *", "UTC", "2026-01-01T08:20:00Z", 3) ==
        Times{"01-01 08:30 +0000", "01-01 10:10 +0000", "01-01 10:20 +0000"});
  CHECK(times("15 * * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", 2) ==
        Times{"01-01 06:15 +0545", "01-01 07:15 +0545"});
  CHECK(cron("0 0 29 2 *").next(at("2096-02-29T00:00:00Z"), TimeZone::utc()) ==
        at("2104-02-29T00:00:00Z"));
  CHECK(cron("0 0 29 2 */7").next(at("2088-02-29T00:00:00Z"), TimeZone::utc()) ==
        at("2128-02-29T00:00:00Z"));  // a Sunday, after 40 years
}

TEST_CASE("a time is later than the one before, not the same") {
  const CronExpression hourly = cron("@hourly");
  const TimeZone utc = TimeZone::utc();
  CHECK(hourly.next(at("2026-01-01T09:00:00Z"), utc) == at("2026-01-01T10:00:00Z"));
  CHECK(hourly.next({at("2026-01-01T09:00:00Z").us - 1}, utc) == at("2026-01-01T09:00:00Z"));
  const CronExpression daily = cron("0 9 * * *");
  CHECK(daily.next(at("2026-01-01T09:00:00Z"), utc) == at("2026-01-02T09:00:00Z"));
  CHECK(daily.next({at("2026-01-01T09:00:00Z").us - 1}, utc) == at("2026-01-01T09:00:00Z"));
  CHECK(daily.next(at("2026-01-01T09:00:00.000001Z"), utc) == at("2026-01-02T09:00:00Z"));
}

TEST_CASE("a fixed time that the clock leaves out is due at the end of the gap, once") {
  CHECK(times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3) ==
        Times{"03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"});
  CHECK(times("0,15,30 2,3 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", 4) ==
        Times{"03-29 03:00 +0200", "03-29 03:15 +0200", "03-29 03:30 +0200", "03-30 02:00 +0200"});
  CHECK(times("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2) ==
        Times{"11-04 01:00 -0200", "11-05 00:00 -0200"});
  CHECK(times("0 0 26 * *", "Africa/Cairo", "2024-04-20T00:00:00Z", 2) ==
        Times{"04-26 01:00 +0300", "05-26 00:00 +0300"});
  CHECK(times("15 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z", 2) ==
        Times{"03-29 01:00 +0300", "03-30 00:15 +0300"});
  CHECK(times("10 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2) ==
        Times{"10-04 02:30 +1100", "10-05 02:10 +1100"});
  CHECK(times("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 2) ==
        Times{"12-31 00:00 +1400", "12-30 12:00 +1400"});
}

TEST_CASE("a fixed time that the clock repeats is due the first time, once") {
  CHECK(times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2) ==
        Times{"10-25 02:30 +0200", "10-26 02:30 +0100"});
  // Asked for in the middle of the second time.
  CHECK(times("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1) ==
        Times{"10-26 02:30 +0100"});
  CHECK(times("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 2) ==
        Times{"04-05 01:45 +1100", "04-06 01:45 +1030"});
  CHECK(times("30 23 17 * *", "America/Sao_Paulo", "2018-02-17T12:00:00Z", 2) ==
        Times{"02-17 23:30 -0200", "03-17 23:30 -0300"});
}

TEST_CASE("what runs every so many minutes or hours follows the time that really passes") {
  CHECK(times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3) ==
        Times{"03-29 01:30 +0100", "03-29 03:00 +0200", "03-29 03:30 +0200"});
  CHECK(times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 4) ==
        Times{"10-25 02:30 +0200", "10-25 02:00 +0100", "10-25 02:30 +0100", "10-25 03:00 +0100"});
  CHECK(times("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 3) ==
        Times{"10-25 02:00 +0200", "10-25 02:00 +0100", "10-25 03:00 +0100"});
  CHECK(times("30 */2 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", 2) ==
        Times{"03-29 00:30 +0100", "03-29 04:30 +0200"});
  CHECK(times("*/20 * * * *", "Australia/Lord_Howe", "2026-10-03T15:00:00Z", 3) ==
        Times{"10-04 01:40 +1030", "10-04 02:40 +1100", "10-04 03:00 +1100"});
}

TEST_CASE("an interval is counted from its anchor") {
  const CronExpression expression = cron("every 15m");
  const TimeZone berlin = zone("Europe/Berlin");
  const WallTime anchor = at("2026-03-29T00:07:00Z");
  CHECK(expression.interval() == Duration::seconds(900));
  CHECK_FALSE(cron("@daily").interval());
  CHECK(expression.next(anchor, berlin, anchor) == at("2026-03-29T00:22:00Z"));
  CHECK(expression.next(at("2026-03-29T00:21:59Z"), berlin, anchor) == at("2026-03-29T00:22:00Z"));
  CHECK(expression.next(at("2026-03-29T02:00:00Z"), berlin, anchor) == at("2026-03-29T02:07:00Z"));
  CHECK(expression.next(at("2026-03-28T00:00:00Z"), berlin, anchor) == anchor);
}

TEST_CASE("far and impossible times are answered at once") {
  const auto begin = std::chrono::steady_clock::now();
  const TimeZone berlin = zone("Europe/Berlin");
  const CronExpression rare = cron("*/5 0 29 2 */7");
  CHECK(rare.next(at("2088-03-01T00:00:00Z"), berlin));
  for (const CronExpression& e : {rare, cron("0 0 29 2 *"), cron("@every 1s"), cron("* * * * *")})
    for (int64_t us : {INT64_MIN, INT64_MAX, int64_t{0}, at("9999-12-31T23:59:59Z").us}) {
      const std::optional<WallTime> due = e.next({us}, berlin, {us});
      if (due) CHECK(*due > WallTime{us});
    }
  CHECK_FALSE(cron("0 0 29 2 *").next(at("9997-01-01T00:00:00Z"), berlin));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
}

namespace {

// Field by field: *, */n, numbers, ranges, steps, lists.
std::string random_field(std::mt19937_64& random, int least, int most) {
  auto value = [&] {
    return least + static_cast<int>(random() % static_cast<size_t>(most - least + 1));
  };
  const int a = value();
  const int b = value();
  const std::string range = std::to_string(std::min(a, b)) + "-" + std::to_string(std::max(a, b));
  switch (random() % 8) {
    case 0:
    case 1:
      return "*";
    case 2:
      return "*/" + std::to_string(1 + random() % 7);
    case 3:
      return range;
    case 4:
      return range + "/" + std::to_string(1 + random() % 4);
    case 5:
      return std::to_string(a) + "," + range;
    default:
      return std::to_string(a);
  }
}

std::string random_expression(std::mt19937_64& random) {
  std::string out = random_field(random, 0, 59) + " " + random_field(random, 0, 23) + " ";
  out += (random() % 2 == 0 ? "*" : random_field(random, 1, 31)) + " ";
  out += (random() % 2 == 0 ? "*" : random_field(random, 1, 12)) + " ";
  return out + (random() % 2 == 0 ? "*" : random_field(random, 0, 7));
}

// A second reading of an expression, as plain as can be: does `value` stand in the field?
bool stands_in(const std::string& field, int value, int least, int most) {
  for (size_t begin = 0; begin <= field.size();) {
    const size_t end = std::min(field.find(',', begin), field.size());
    std::string part = field.substr(begin, end - begin);
    begin = end + 1;
    int step = 1;
    if (size_t slash = part.find('/'); slash != std::string::npos) {
      step = std::stoi(part.substr(slash + 1));
      part.resize(slash);
    }
    int from = least;
    int to = most;
    if (part != "*") {
      from = to = std::stoi(part);
      if (size_t dash = part.find('-'); dash != std::string::npos)
        to = std::stoi(part.substr(dash + 1));
    }
    if (value >= from && value <= to && (value - from) % step == 0) return true;
  }
  return false;
}

struct Reference {
  std::vector<std::string> fields;
  explicit Reference(const std::string& text) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(' ', begin), text.size());
      fields.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  [[nodiscard]] bool matches(int64_t minute) const {
    const CivilTime t = civil_from_seconds(minute * 60);
    const bool day = stands_in(fields[2], t.day, 1, 31);
    const bool weekday =
        stands_in(fields[4], t.weekday, 0, 6) || (t.weekday == 0 && stands_in(fields[4], 7, 0, 6));
    const bool days = fields[2][0] == '*' || fields[4][0] == '*' ? day && weekday : day || weekday;
    return stands_in(fields[0], t.minute, 0, 59) && stands_in(fields[1], t.hour, 0, 23) && days &&
           stands_in(fields[3], t.month, 1, 12);
  }
  // Minute by minute from two days before, as a cron would that never sleeps.
  [[nodiscard]] std::vector<WallTime> run(const TimeZone& where, int64_t begin, int64_t end) const {
    const bool wild = fields[0][0] == '*' || fields[1][0] == '*';
    std::vector<WallTime> out;
    int64_t reached = INT64_MIN;  // the latest minute that the clock has shown
    for (int64_t minute = begin - 2880; minute <= end; ++minute) {
      const WallTime t{minute * 60000000};
      const int64_t shown = minute + where.offset_at(t) / 60;
      if (reached == INT64_MIN) reached = shown - 1;
      bool due = wild && matches(shown);
      for (int64_t m = reached + 1; !wild && m <= shown; ++m) due = due || matches(m);
      reached = std::max(reached, shown);
      if (due && minute > begin) out.push_back(t);
    }
    return out;
  }
};

}  // namespace

TEST_CASE("next agrees with a minute by minute count") {
  constexpr const char* k_zones[] = {"Europe/Berlin",       "America/Sao_Paulo",
                                     "Africa/Cairo",        "Asia/Beirut",
                                     "Australia/Lord_Howe", "Asia/Kathmandu",
                                     "Pacific/Apia",        "America/St_Johns",
                                     "Asia/Gaza",           "Europe/Dublin",
                                     "Antarctica/Troll",    "Africa/Casablanca",
                                     "Pacific/Kwajalein",   "UTC"};
  std::vector<TimeZone> zones;
  for (const char* name : k_zones) zones.push_back(zone(name));
  std::mt19937_64 random(31);
  size_t compared = 0;
  for (int i = 0; i < 1500; ++i) {
    const std::string text = random_expression(random);
    const Result<CronExpression> expression = CronExpression::parse(text);
    if (!expression) {
      INFO(text << ": " << expression.error().message);
      REQUIRE(expression.error().message.find("never comes") != std::string::npos);
      continue;
    }
    REQUIRE(cron(expression->to_string()) == *expression);
    REQUIRE(cron(expression->to_string()).to_string() == expression->to_string());
    const TimeZone& where = zones[random() % zones.size()];
    const WallTime any{static_cast<int64_t>(94694400 + random() % 7000000000) / 60 * 60000000};
    // Two days before a change of the clock, from 1973 to 2194.
    const int64_t begin =
        where.next_change(any).value_or(any).us / 60000000 - static_cast<int64_t>(random() % 2880);
    const int64_t end = begin + 3 * 1440;
    std::vector<WallTime> found;
    WallTime t{begin * 60000000};
    for (;;) {
      const std::optional<WallTime> due = expression->next(t, where);
      if (!due || due->us > end * 60000000) break;
      REQUIRE(*due > t);
      found.push_back(t = *due);
    }
    const std::vector<WallTime> expected = Reference(text).run(where, begin, end);
    INFO(text << " in " << where.name() << " from " << to_rfc3339({begin * 60000000}));
    REQUIRE(found.size() == expected.size());
    for (size_t k = 0; k < found.size(); ++k)
      REQUIRE(to_rfc3339(found[k]) == to_rfc3339(expected[k]));
    compared += found.size();
  }
  CHECK(compared > 10000);
}
