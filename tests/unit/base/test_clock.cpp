// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>

#include "base/clock.hpp"

using namespace fabric;

TEST_CASE("durations are numbers with units") {
  CHECK(parse_duration("30s").value() == Duration::seconds(30));
  CHECK(parse_duration("1h30m").value() == Duration::seconds(5400));
  CHECK(parse_duration("250ms").value() == Duration::millis(250));
  CHECK(parse_duration("1.5h").value() == Duration::seconds(5400));
  CHECK(parse_duration("2d").value() == Duration::seconds(172800));
  CHECK(parse_duration("1w").value() == Duration::seconds(604800));
  CHECK(parse_duration("0s").value() == Duration{});
  CHECK(parse_duration("5us3ns").value() == Duration::nanoseconds(5003));
}

TEST_CASE("what is no duration is refused") {
  for (const char* text : {"", "5", "s", "-1s", "+1s", "1 s", "1s ", "1x", "1..5s", ".s", "1e3s",
                           "inf", "300000000h", "0x1s", "1S", "nan s", "1,5s", "\xc2\xb5s"})
    CHECK_FALSE(parse_duration(text));
  CHECK_FALSE(parse_duration(std::string(100, '1') + "s"));
  CHECK_FALSE(parse_duration(std::string_view("1s\0", 3)));
}

TEST_CASE("to_string of a duration reads back exactly") {
  CHECK(to_string(Duration{}) == "0s");
  CHECK(to_string(Duration::seconds(5400)) == "1h30m");
  CHECK(to_string(Duration::millis(250)) == "250ms");
  CHECK(to_string(Duration::seconds(7 * 86400)) == "7d");
  CHECK(to_string(Duration::seconds(-90)) == "-1m30s");
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const Duration d{static_cast<int64_t>(random() >> (1 + random() % 62)) / 2};
    INFO(to_string(d));
    CHECK(parse_duration(to_string(d)).value() == d);
  }
}

TEST_CASE("durations for people have at most two units and never round up to a full larger one") {
  CHECK(human(Duration::millis(45)) == "45ms");
  CHECK(human(Duration::millis(3200)) == "3.2s");
  CHECK(human(Duration::seconds(80)) == "1m 20s");
  CHECK(human(Duration::millis(59960)) == "1m 0s");
  CHECK(human(Duration::micros(999900)) == "1.0s");
  CHECK(human(Duration::millis(3599900)) == "1h 0m");
  CHECK(human(Duration::seconds(90000)) == "1d 1h");
}

TEST_CASE("times round trip through RFC 3339") {
  CHECK(to_rfc3339({1795568523456789}) == "2026-11-25T01:02:03.456789Z");
  CHECK(parse_rfc3339("2026-11-25T01:02:03.456789Z").value().us == 1795568523456789);
  CHECK(to_rfc3339({}) == "");
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const WallTime t{static_cast<int64_t>(random() % 253402300799000000) + 1};
    CHECK(parse_rfc3339(to_rfc3339(t)).value() == t);
  }
}

TEST_CASE("RFC 3339 with zones, fractions and leap seconds") {
  CHECK(parse_rfc3339("2026-11-25T02:02:03+01:00").value().us == 1795568523000000);
  CHECK(parse_rfc3339("2026-11-24T20:32:03-04:30").value().us == 1795568523000000);
  CHECK(parse_rfc3339("2026-11-25T01:02:03.4Z").value().us == 1795568523400000);
  CHECK(parse_rfc3339("2024-02-29T00:00:00Z"));
  CHECK(parse_rfc3339("2016-12-31T23:59:60Z").value() ==
        parse_rfc3339("2017-01-01T00:00:00Z").value());
}

TEST_CASE("times far apart have a distance that is long and no number gone wrong") {
  const WallTime now = parse_rfc3339("2026-11-25T00:00:00Z").value();
  for (const char* text :
       {"2172-12-31T00:00:00Z", "2400-12-31T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    const WallTime then = parse_rfc3339(text).value();
    INFO(text);
    CHECK(then - now > Duration::seconds(int64_t{146} * 365 * 86400));
    CHECK(now - then < Duration{});
  }
  CHECK(human(parse_rfc3339("9999-12-31T23:59:59Z").value() - now) == "more than 146 years");
}

TEST_CASE("what is no time is refused") {
  for (const char* text :
       {"", "2026", "2026-11-25", "2026-11-25T01:02:03", "2026-13-25T01:02:03Z",
        "2026-02-30T01:02:03Z", "2026-11-25T24:02:03Z", "2026-11-25T01:60:03Z",
        "2026-11-25T01:02:61Z", "2026-11-25T01:02:03.Z", "2026-11-25T01:02:03+1:00",
        "2026-11-25T01:02:03+24:00", "2026- 1-25T01:02:03Z", " 026-11-25T01:02:03Z",
        "+026-11-25T01:02:03Z", "2026-11-25T01:02:03Zx", "2026-11-25 01:02:03Z",
        "2026-11-25T01:02:03.1234567890Z"})
    CHECK_FALSE(parse_rfc3339(text));
}

TEST_CASE("monotonic time does not go back") {
  MonoTime last = system_clock().monotonic();
  for (int i = 0; i < 1000; ++i) {
    const MonoTime now = system_clock().monotonic();
    CHECK(now >= last);
    last = now;
  }
}
