// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

#include "base/fd.hpp"
#include "base/timezone.hpp"

using namespace fabric;
using Kind = LocalTimes::Kind;

namespace {

TimeZone zone(const std::string& name) { return TimeZone::load(name).value(); }
WallTime at(const char* text) { return parse_rfc3339(text).value(); }
CivilTime civil(int year, int month, int day, int hour = 0, int minute = 0, int second = 0) {
  CivilTime t;
  t.year = year;
  t.month = month;
  t.day = day;
  t.hour = hour;
  t.minute = minute;
  t.second = second;
  return t;
}

// "2026-03-29 01:59:59 +3600 0": with the weekday at the end.
std::string shown(const TimeZone& zone, WallTime t) {
  const CivilTime c = zone.to_local(t);
  char out[80];
  std::snprintf(out, sizeof out, "%04d-%02d-%02d %02d:%02d:%02d %+d %d", c.year, c.month, c.day,
                c.hour, c.minute, c.second, c.utc_offset_seconds, c.weekday);
  return out;
}

// Sets a variable of the environment, and puts it back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) {
    if (value)
      ::setenv(name_, value, 1);
    else
      ::unsetenv(name_);
    ::tzset();
  }
  const char* name_;
  std::optional<std::string> before_;
};

// Of every region, and everything odd that a zone does.
constexpr const char* k_zones[] = {"UTC",
                                   "Etc/GMT-14",
                                   "Europe/Berlin",
                                   "Europe/Dublin",
                                   "Asia/Kolkata",
                                   "America/Sao_Paulo",
                                   "Africa/Cairo",
                                   "Asia/Beirut",
                                   "Asia/Gaza",
                                   "Australia/Lord_Howe",
                                   "Asia/Kathmandu",
                                   "Africa/Casablanca",
                                   "Pacific/Apia",
                                   "America/New_York",
                                   "America/St_Johns",
                                   "Pacific/Chatham",
                                   "Asia/Tehran",
                                   "Antarctica/Troll",
                                   "America/Nuuk",
                                   "Africa/Monrovia",
                                   "Pacific/Kwajalein",
                                   "America/Asuncion",
                                   "EST5EDT",
                                   "Asia/Pyongyang"};

}  // namespace

TEST_CASE("a moment on the wall of a zone") {
  CHECK(shown(TimeZone::utc(), {}) == "1970-01-01 00:00:00 +0 4");
  CHECK(shown(zone("Europe/Berlin"), at("2026-03-29T00:59:59Z")) == "2026-03-29 01:59:59 +3600 0");
  CHECK(shown(zone("Europe/Berlin"), at("2026-03-29T01:00:00Z")) == "2026-03-29 03:00:00 +7200 0");
  CHECK(shown(zone("Europe/Berlin"), at("2026-10-25T00:59:59Z")) == "2026-10-25 02:59:59 +7200 0");
  CHECK(shown(zone("Europe/Berlin"), at("2026-10-25T01:00:00Z")) == "2026-10-25 02:00:00 +3600 0");
  CHECK(shown(zone("Asia/Kolkata"), at("2024-02-29T18:29:59Z")) == "2024-02-29 23:59:59 +19800 4");
  CHECK(shown(zone("Asia/Kolkata"), at("2024-02-29T18:30:00Z")) == "2024-03-01 00:00:00 +19800 5");
  CHECK(shown(zone("Africa/Monrovia"), at("1971-06-01T00:44:30Z")) ==
        "1971-06-01 00:00:00 -2670 2");
  CHECK(shown(zone("Pacific/Apia"), at("2011-12-30T09:59:59Z")) == "2011-12-29 23:59:59 -36000 4");
  CHECK(shown(zone("Pacific/Apia"), at("2011-12-30T10:00:00Z")) == "2011-12-31 00:00:00 +50400 6");
  CHECK(shown(TimeZone::utc(), {-1}) == "1969-12-31 23:59:59 +0 3");
}

TEST_CASE("far years follow the rule at the end of the file") {
  CHECK(shown(zone("America/New_York"), at("2100-07-01T12:00:00Z")) ==
        "2100-07-01 08:00:00 -14400 4");
  CHECK(shown(zone("Europe/Berlin"), at("2199-12-31T23:00:00Z")) == "2200-01-01 00:00:00 +3600 3");
  CHECK(shown(zone("Europe/Berlin"), at("9999-07-01T00:00:00Z")) == "9999-07-01 02:00:00 +7200 4");
  const LocalTimes gap = zone("Europe/Berlin").from_local(civil(9000, 3, 30, 2, 30));
  CHECK(gap.kind == Kind::skipped);  // the last Sunday of that March
  CHECK(gap.first == at("9000-03-30T01:00:00Z"));
}

TEST_CASE("a time of day that the clock leaves out, and one that it shows twice") {
  struct Case {
    const char* zone;
    CivilTime local;
    Kind kind;
    const char *first, *second;
  };
  const Case cases[] = {
      {"Europe/Berlin", civil(2026, 3, 29, 1, 59, 59), Kind::unique, "2026-03-29T00:59:59Z", ""},
      {"Europe/Berlin", civil(2026, 3, 29, 2), Kind::skipped, "2026-03-29T01:00:00Z", ""},
      {"Europe/Berlin", civil(2026, 3, 29, 2, 59, 59), Kind::skipped, "2026-03-29T01:00:00Z", ""},
      {"Europe/Berlin", civil(2026, 3, 29, 3), Kind::unique, "2026-03-29T01:00:00Z", ""},
      {"Europe/Berlin", civil(2026, 10, 25, 1, 59, 59), Kind::unique, "2026-10-24T23:59:59Z", ""},
      {"Europe/Berlin", civil(2026, 10, 25, 2), Kind::repeated, "2026-10-25T00:00:00Z",
       "2026-10-25T01:00:00Z"},
      {"Europe/Berlin", civil(2026, 10, 25, 2, 59, 59), Kind::repeated, "2026-10-25T00:59:59Z",
       "2026-10-25T01:59:59Z"},
      {"Europe/Berlin", civil(2026, 10, 25, 3), Kind::unique, "2026-10-25T02:00:00Z", ""},
      // No midnight: the day begins at one.
      {"America/Sao_Paulo", civil(2018, 11, 4), Kind::skipped, "2018-11-04T03:00:00Z", ""},
      {"America/Sao_Paulo", civil(2018, 2, 17, 23, 30), Kind::repeated, "2018-02-18T01:30:00Z",
       "2018-02-18T02:30:00Z"},
      {"Africa/Cairo", civil(2024, 4, 26), Kind::skipped, "2024-04-25T22:00:00Z", ""},
      {"Asia/Beirut", civil(2026, 3, 29, 0, 15), Kind::skipped, "2026-03-28T22:00:00Z", ""},
      // Half an hour.
      {"Australia/Lord_Howe", civil(2026, 10, 4, 2, 15), Kind::skipped, "2026-10-03T15:30:00Z", ""},
      {"Australia/Lord_Howe", civil(2026, 10, 4, 2, 30), Kind::unique, "2026-10-03T15:30:00Z", ""},
      {"Australia/Lord_Howe", civil(2026, 4, 5, 1, 45), Kind::repeated, "2026-04-04T14:45:00Z",
       "2026-04-04T15:15:00Z"},
      // A day that there never was.
      {"Pacific/Apia", civil(2011, 12, 30), Kind::skipped, "2011-12-30T10:00:00Z", ""},
      {"Pacific/Apia", civil(2011, 12, 30, 23, 59), Kind::skipped, "2011-12-30T10:00:00Z", ""},
      // What is beyond an end carries.
      {"Asia/Kolkata", civil(2024, 2, 30), Kind::unique, "2024-02-29T18:30:00Z", ""},
      {"UTC", civil(2023, 13, 32, 24, 60), Kind::unique, "2024-02-02T01:00:00Z", ""},
      {"UTC", civil(2024, 0, 0, 0, -1), Kind::unique, "2023-11-29T23:59:00Z", ""},
  };
  for (const Case& c : cases) {
    INFO(c.zone << " " << c.first);
    const LocalTimes times = zone(c.zone).from_local(c.local);
    CHECK(times.kind == c.kind);
    CHECK(times.first == at(c.first));
    CHECK(times.second == (*c.second ? at(c.second) : times.first));
  }
}

TEST_CASE("days of 23, 23.5, 24, 24.5 and 25 hours") {
  auto hours = [](const char* name, int year, int month, int day) {
    const TimeZone where = zone(name);
    return (where.from_local(civil(year, month, day + 1)).first -
            where.from_local(civil(year, month, day)).first)
               .to_seconds() /
           3600;
  };
  CHECK(hours("Europe/Berlin", 2026, 3, 29) == 23);
  CHECK(hours("Europe/Berlin", 2026, 10, 25) == 25);
  CHECK(hours("Europe/Berlin", 2026, 7, 31) == 24);
  CHECK(hours("Australia/Lord_Howe", 2026, 10, 4) == 23.5);
  CHECK(hours("Australia/Lord_Howe", 2026, 4, 5) == 24.5);
  CHECK(hours("America/Sao_Paulo", 2018, 11, 4) == 23);
  CHECK(hours("Pacific/Apia", 2011, 12, 30) == 0);
}

TEST_CASE("the next change of the clock") {
  const TimeZone berlin = zone("Europe/Berlin");
  CHECK(berlin.next_change(at("2026-01-01T00:00:00Z")) == at("2026-03-29T01:00:00Z"));
  CHECK(berlin.next_change(at("2026-03-29T01:00:00Z")) == at("2026-10-25T01:00:00Z"));
  CHECK(berlin.next_change(at("2199-12-01T00:00:00Z")) == at("2200-03-30T01:00:00Z"));
  CHECK(berlin.next_change(at("8999-12-01T00:00:00Z")) == at("9000-03-30T01:00:00Z"));
  CHECK_FALSE(TimeZone::utc().next_change({}));
  CHECK_FALSE(zone("America/Sao_Paulo").next_change(at("2026-01-01T00:00:00Z")));
}

TEST_CASE("every zone agrees with the C library, to the year 2200") {
  std::mt19937_64 random(20);
  for (const char* name : k_zones) {
    const Variable tz("TZ", name);
    const TimeZone ours = zone(name);
    for (int i = 0; i < 2000; ++i) {
      time_t seconds = static_cast<time_t>(random() % 7258118400);
      // Half of them close to a change.
      const auto change = ours.next_change({seconds * 1000000});
      if (i % 2 == 0 && change)
        seconds = change->us / 1000000 + static_cast<time_t>(random() % 7200) - 3600;
      if (seconds <= 0) continue;
      tm theirs{};
      ::localtime_r(&seconds, &theirs);
      const CivilTime c = ours.to_local({seconds * 1000000 + 999999});
      INFO(name << " " << seconds);
      REQUIRE(c.utc_offset_seconds == theirs.tm_gmtoff);
      REQUIRE(c.year == theirs.tm_year + 1900);
      REQUIRE(c.month == theirs.tm_mon + 1);
      REQUIRE(c.day == theirs.tm_mday);
      REQUIRE(c.hour == theirs.tm_hour);
      REQUIRE(c.minute == theirs.tm_min);
      REQUIRE(c.second == theirs.tm_sec);
      REQUIRE(c.weekday == theirs.tm_wday);
    }
  }
}

TEST_CASE("from_local finds exactly the moments that show a time") {
  std::mt19937_64 random(21);
  for (const char* name : k_zones) {
    const TimeZone ours = zone(name);
    for (int i = 0; i < 1000; ++i) {
      const WallTime t{static_cast<int64_t>(random() % 7258118400) * 1000000};
      const WallTime change = ours.next_change(t).value_or(t);
      const CivilTime local = civil_from_seconds(change.us / 1000000 + ours.offset_at(change) +
                                                 static_cast<int64_t>(random() % 180000) - 90000);
      // A clock shows a time at the moment that lies its offset before it; try all offsets near.
      int matches = 0;
      WallTime first;
      WallTime last;
      for (int64_t offset = 50400; offset >= -50400; offset -= 30) {
        const WallTime moment{(civil_seconds(local) - offset) * 1000000};
        if (ours.offset_at(moment) != offset) continue;
        if (matches++ == 0) first = moment;
        last = moment;
      }
      const LocalTimes found = ours.from_local(local);
      INFO(name << " " << to_rfc3339(change) << " " << civil_seconds(local));
      if (matches == 0) {
        REQUIRE(found.kind == Kind::skipped);
        REQUIRE(civil_seconds(ours.to_local(found.first)) > civil_seconds(local));
        REQUIRE(civil_seconds(ours.to_local({found.first.us - 1})) < civil_seconds(local));
      } else {
        REQUIRE(found.kind == (matches == 1 ? Kind::unique : Kind::repeated));
        REQUIRE(found.first == first);
        REQUIRE(found.second == last);
      }
    }
  }
}

TEST_CASE("what is no zone is refused with what was meant") {
  struct Case {
    std::string name, hint;
  };
  const Case cases[] = {
      {"europe/berlin", "did you mean Europe/Berlin?"},
      {"Berlin", "did you mean Europe/Berlin?"},
      {"new york", "did you mean America/New_York?"},
      {"Europe/Brelin", "did you mean Europe/Berlin?"},
      {"Kolkatta", "did you mean Asia/Kolkata?"},
      {"", "write a name such as Europe/Berlin"},
      {"Europe", "write a name such as Europe/Berlin"},
      {"../../../etc/passwd", ""},
      {"Europe/../Europe/Berlin", ""},
      {"/usr/share/zoneinfo/Europe/Berlin", ""},
      {"/etc/localtime", ""},
      {"zone.tab", ""},
      {"tzdata.zi", ""},
      {"CET-1CEST,M3.5.0,M10.5.0/3", ""},
      {std::string("Europe/Berlin\0", 14), ""},
      {std::string("Europe/Berlin\0x", 15), ""},
      {std::string(100000, 'x'), ""},
      {"\x1b[31m", ""},
  };
  for (const Case& c : cases) {
    const Result<TimeZone> result = TimeZone::load(c.name);
    INFO(c.name.substr(0, 50));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::usage);
    CHECK(result.error().message.starts_with("there is no time zone"));
    CHECK(result.error().message.find('\x1b') == std::string::npos);
    CHECK(result.error().hint.find(c.hint) == 0);
    CHECK_FALSE(result.error().hint.empty());
  }
}

TEST_CASE("the local zone is that of TZ") {
  auto local = [](const char* value) {
    const Variable tz("TZ", value);
    return TimeZone::local();
  };
  const WallTime summer = at("2026-07-01T00:00:00Z");
  CHECK(local("Europe/Berlin").value().offset_at(summer) == 7200);
  CHECK(local("Europe/Berlin").value().name() == "Europe/Berlin");
  CHECK(local(":Asia/Kolkata").value().name() == "Asia/Kolkata");
  CHECK(local("").value().name() == "UTC");
  CHECK(local("/usr/share/zoneinfo/Europe/Berlin").value().offset_at(summer) == 7200);
  CHECK(local("CET-1CEST,M3.5.0,M10.5.0/3").value().offset_at(summer) == 7200);
  CHECK(local("<+0330>-3:30").value().offset_at(summer) == 12600);
  CHECK_FALSE(local("Nowhere/Land"));
  CHECK_FALSE(local("/etc/passwd"));
  CHECK_FALSE(local("/nonexistent"));
  CHECK(local(nullptr));  // /etc/localtime, whatever it is
}

TEST_CASE("rules") {
  auto offset = [](const char* rule, const char* time) {
    return TimeZone::from_rule(rule).value().offset_at(at(time));
  };
  CHECK(offset("EST5", "2026-07-01T00:00:00Z") == -18000);
  CHECK(offset("EST5EDT", "2026-03-08T06:59:59Z") == -18000);  // the rule of the United States
  CHECK(offset("EST5EDT", "2026-03-08T07:00:00Z") == -14400);
  CHECK(offset("AAA-10BBB,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z") == 39600);  // the south
  CHECK(offset("AAA-10BBB,M10.1.0,M4.1.0/3", "2026-06-01T00:00:00Z") == 36000);
  CHECK(offset("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z") == 0);  // winter time
  CHECK(offset("AAA0BBB,J60,J61", "2024-03-01T02:00:00Z") == 3600);  // 1 March, leap day or not
  CHECK(offset("AAA0BBB,J60,J61", "2026-03-01T02:00:00Z") == 3600);
  CHECK(offset("AAA0BBB,59,60", "2024-02-29T02:00:00Z") == 3600);
  CHECK(offset("AAA0BBB,M3.4.4/50,M10.1.0", "2026-03-28T01:59:59Z") == 0);
  CHECK(offset("AAA0BBB,M3.4.4/50,M10.1.0", "2026-03-28T02:00:00Z") == 3600);
  for (const char* t : {"2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z", "2027-01-01T04:59:59Z",
                        "2027-01-01T05:00:00Z", "2027-01-01T05:30:00Z"})
    CHECK(offset("EST5EDT4,0/0,J365/25", t) == -14400);  // summer time all the year
  for (const char* rule : {"", "A", "AB5", "ABC", "ABC25", "ABC5DEF,", "ABC5DEF,M13.1.0,M1.1.0",
                           "ABC5DEF,M1.6.0,M1.1.0", "ABC5DEF,M1.1.7,M1.1.0", "ABC5DEF,M1.1.0",
                           "ABC5DEF,J0,J1", "ABC5DEF,366,1", "ABC5DEF,M1.1.0/168,1", "<ABC5",
                           "ABC5DEF,M1.1.0,M2.1.0x", "ABC5:60", "ABC5:00:60", "ABC+-5", "<>5"})
    CHECK_FALSE(TimeZone::from_rule(rule));
}

TEST_CASE("a damaged file is an error, never a crash") {
  const std::string good = read_file("/usr/share/zoneinfo/Europe/Berlin").value();
  REQUIRE(TimeZone::from_file_content("x", good));
  for (size_t size = 0; size < good.size(); ++size)
    REQUIRE_FALSE(TimeZone::from_file_content("x", good.substr(0, size)));
  std::mt19937_64 random(22);
  for (int i = 0; i < 4000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[random() % bad.size()] = static_cast<char>(random());
    const Result<TimeZone> result = TimeZone::from_file_content("x", bad);
    if (!result) continue;
    const WallTime t{static_cast<int64_t>(random() % 7258118400) * 1000000};
    CHECK(std::abs(result->offset_at(t)) < 100000);
    CHECK(result->next_change(t).value_or(WallTime{INT64_MAX}) > t);
    CHECK(result->from_local(result->to_local(t)).first <= t);
  }
}

TEST_CASE("any number is a time") {
  const TimeZone berlin = zone("Europe/Berlin");
  for (int64_t us : {INT64_MIN, INT64_MIN + 1, int64_t{-1}, int64_t{0}, INT64_MAX - 1, INT64_MAX}) {
    const CivilTime local = berlin.to_local({us});
    CHECK(local.month >= 1);
    CHECK(local.month <= 12);
    CHECK(berlin.next_change({us}).value_or(WallTime{us}) >= WallTime{us});
  }
  CHECK(berlin.from_local(civil(INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX))
            .first > at("9999-01-01T00:00:00Z"));
  CHECK(berlin.from_local(civil(INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN))
            .first < at("1970-01-01T00:00:01Z"));
}
