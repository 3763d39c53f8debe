// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

#include "fabric/moment.hpp"

namespace fabric::cmd {
namespace {

// The zone of the process while it lives. Rules are written out: no zone files are needed.
class Zone {
 public:
  explicit Zone(const char* rules) {
    const char* before = std::getenv("TZ");
    if (before) before_ = before;
    had_ = before != nullptr;
    set(rules);
  }
  ~Zone() { set(had_ ? before_.c_str() : nullptr); }

 private:
  static void set(const char* rules) {
    if (rules)
      ::setenv("TZ", rules, 1);
    else
      ::unsetenv("TZ");
    ::tzset();
  }
  std::string before_;
  bool had_ = false;
};
constexpr const char* k_berlin = "CET-1CEST,M3.5.0,M10.5.0/3";

WallTime at(const char* text) { return *parse_rfc3339(text); }
std::string moment(const char* text, const char* now = "2026-11-25T12:00:00Z") {
  const auto time = parse_moment_or_delay(text, at(now));
  return time ? to_rfc3339(*time) : time.error().message;
}

TEST_CASE("RFC 3339 is taken as it is") {
  CHECK(moment("2026-11-25T14:30:00Z") == "2026-11-25T14:30:00.000000Z");
  CHECK(moment("2026-11-25T14:30:00.5+02:00") == "2026-11-25T12:30:00.500000Z");
}

TEST_CASE("a date and a time are local") {
  const Zone zone(k_berlin);
  CHECK(moment("2026-11-25 14:30") == "2026-11-25T13:30:00.000000Z");
  CHECK(moment("2026-07-01 14:30") == "2026-07-01T12:30:00.000000Z");
  CHECK(moment("2026-07-01 14:30:59") == "2026-07-01T12:30:59.000000Z");
}

TEST_CASE("a time of day is the next such time") {
  const Zone zone(k_berlin);
  CHECK(moment("14:30") == "2026-11-25T13:30:00.000000Z");
  CHECK(moment("13:00") == "2026-11-26T12:00:00.000000Z");  // it is 13:00: tomorrow
  CHECK(moment("00:00", "2026-12-31T20:00:00Z") == "2026-12-31T23:00:00.000000Z");
  CHECK(moment("01:00", "2026-12-31T20:00:00Z") == "2027-01-01T00:00:00.000000Z");
}

TEST_CASE("when the clocks change") {
  const Zone zone(k_berlin);
  // 02:30 does not exist on 2026-03-29
  CHECK(moment("2026-03-29 02:30") ==
        "'2026-03-29 02:30' does not exist: the clocks are changed then");
  CHECK(moment("2026-03-29 03:30") == "2026-03-29T01:30:00.000000Z");
  CHECK(moment("02:30", "2026-03-29T00:00:00Z") == "2026-03-30T00:30:00.000000Z");
  // 02:30 comes twice on 2026-10-25
  CHECK(moment("2026-10-25 02:30") == "2026-10-25T00:30:00.000000Z");
}

TEST_CASE("a delay counts from now") {
  CHECK(moment("+5m") == "2026-11-25T12:05:00.000000Z");
  CHECK(moment("+0s") == "2026-11-25T12:00:00.000000Z");
  CHECK(!parse_moment("+5m", at("2026-11-25T12:00:00Z")));
}

TEST_CASE("nonsense is refused") {
  for (const char* text : {"", "soon", "24:00", "12:60", "1:30", "2026-02-30 10:00",
                           "2026-13-01 10:00", "2026-11-25 10", "2026-11-25", "+", "+5", "-5m"})
    CHECK_FALSE(parse_moment_or_delay(text, at("2026-11-25T12:00:00Z")));
}

}  // namespace
}  // namespace fabric::cmd
