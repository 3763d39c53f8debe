// SPDX-License-Identifier: Apache-2.0
// Time comes in by reference, so tests move it by hand. Wall time (what people read, what --at and
// windows mean) and monotonic time (how long something ran) are different types on purpose.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fabric {

struct Duration {
  int64_t ns = 0;
  static constexpr Duration nanoseconds(int64_t n) { return {n}; }
  static constexpr Duration micros(int64_t n) { return {n * 1000}; }
  static constexpr Duration millis(int64_t n) { return {n * 1000000}; }
  static constexpr Duration seconds(int64_t n) { return {n * 1000000000}; }
  [[nodiscard]] constexpr double to_seconds() const { return static_cast<double>(ns) / 1e9; }
  [[nodiscard]] constexpr int64_t to_millis() const { return ns / 1000000; }
  auto operator<=>(const Duration&) const = default;
};

// Microseconds since the Unix epoch (CLOCK_REALTIME). 0 means "not set".
struct WallTime {
  int64_t us = 0;
  [[nodiscard]] bool set() const { return us != 0; }
  auto operator<=>(const WallTime&) const = default;
};

// Nanoseconds of CLOCK_MONOTONIC of this boot.
struct MonoTime {
  int64_t ns = 0;
  auto operator<=>(const MonoTime&) const = default;
};
constexpr MonoTime operator+(MonoTime t, Duration d) { return {t.ns + d.ns}; }
constexpr Duration operator-(MonoTime a, MonoTime b) { return {a.ns - b.ns}; }
constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
constexpr WallTime operator+(WallTime t, Duration d) { return {t.us + d.ns / 1000}; }
// The longest there is between two wall times, 146 years: added to any clock it stays a number.
constexpr Duration k_longest_between{int64_t{1} << 62};
constexpr Duration operator-(WallTime a, WallTime b) {
  constexpr int64_t k_most_us = k_longest_between.ns / 1000;
  const int64_t us = a.us - b.us;
  if (us >= k_most_us) return k_longest_between;
  if (us <= -k_most_us) return {-k_longest_between.ns};
  return {us * 1000};
}

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;
  [[nodiscard]] virtual MonoTime monotonic() const = 0;
};
const Clock& system_clock();

// "30s", "1h30m", "250ms", "1.5h", "2d": a number needs a unit. Refuses negative and overflow.
Result<Duration> parse_duration(std::string_view text);
// The shortest exact form that parse_duration reads back: "1h30m", "250ms", "0s".
std::string to_string(Duration d);
// For people: at most two units, "1m 20s", "3.2s", "45ms".
std::string human(Duration d);
// RFC 3339 in UTC with microseconds: "2026-11-25T01:02:03.456789Z"; "" when not set.
std::string to_rfc3339(WallTime t);
Result<WallTime> parse_rfc3339(std::string_view text);
// For people: local time; today only the time of day, else with the date.
std::string human(WallTime t, WallTime now);

}  // namespace fabric
