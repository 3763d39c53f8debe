// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>

namespace fabric {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);
    return {int64_t{t.tv_sec} * 1000000 + t.tv_nsec / 1000};
  }
  [[nodiscard]] MonoTime monotonic() const override {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return {int64_t{t.tv_sec} * 1000000000 + t.tv_nsec};
  }
};

struct Unit {
  std::string_view name;
  int64_t ns;
};
constexpr std::array<Unit, 8> k_units{{{"w", 604800000000000},
                                       {"d", 86400000000000},
                                       {"h", 3600000000000},
                                       {"m", 60000000000},
                                       {"s", 1000000000},
                                       {"ms", 1000000},
                                       {"us", 1000},
                                       {"ns", 1}}};

tl::unexpected<Error> bad_duration(std::string_view text) {
  return fail(ErrorCode::usage, "invalid duration '" + std::string(text) + "'",
              "write a number with a unit, for example 250ms, 30s, 1h30m or 2d");
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

Result<Duration> parse_duration(std::string_view text) {
  std::string_view rest = text;
  if (rest.empty() || rest.size() > 64) return bad_duration(text);
  long double total = 0;
  while (!rest.empty()) {
    size_t digits = rest.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return bad_duration(text);
    double number = 0;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + digits, number);
    if (error != std::errc{} || end != rest.data() + digits) return bad_duration(text);
    rest.remove_prefix(digits);
    size_t letters = std::min(rest.find_first_of("0123456789."), rest.size());
    const Unit* unit = nullptr;
    for (const Unit& u : k_units)
      if (u.name == rest.substr(0, letters)) unit = &u;
    if (!unit) return bad_duration(text);
    rest.remove_prefix(letters);
    total += static_cast<long double>(number) * static_cast<long double>(unit->ns);
    if (total > 9.2e18L) return bad_duration(text);
  }
  return Duration{static_cast<int64_t>(std::llroundl(total))};
}

std::string to_string(Duration d) {
  if (d.ns == 0) return "0s";
  std::string out = d.ns < 0 ? "-" : "";
  uint64_t rest = d.ns < 0 ? 0 - static_cast<uint64_t>(d.ns) : static_cast<uint64_t>(d.ns);
  for (const Unit& u : k_units) {
    const auto unit = static_cast<uint64_t>(u.ns);
    if (u.name == "w" || rest < unit) continue;
    out += std::to_string(rest / unit) + std::string(u.name);
    rest %= unit;
  }
  return out;
}

std::string human(Duration d) {
  char out[64];
  double s = d.to_seconds();
  if (s < 0) s = 0;
  if (d >= k_longest_between) return "more than 146 years";
  // The bounds are where the smaller unit would round up to the larger.
  if (s < 0.0009995)
    std::snprintf(out, sizeof out, "%.0fus", s * 1e6);
  else if (s < 0.9995)
    std::snprintf(out, sizeof out, "%.0fms", s * 1e3);
  else if (s < 59.95)
    std::snprintf(out, sizeof out, "%.1fs", s);
  else if (s < 3599.5)
    std::snprintf(out, sizeof out, "%dm %ds", static_cast<int>(s + 0.5) / 60,
                  static_cast<int>(s + 0.5) % 60);
  else if (s < 86399.5)
    std::snprintf(out, sizeof out, "%dh %dm", static_cast<int>(s + 0.5) / 3600,
                  static_cast<int>(s + 0.5) % 3600 / 60);
  else
    std::snprintf(out, sizeof out, "%lldd %dh", static_cast<long long>((s + 0.5) / 86400),
                  static_cast<int>(std::fmod(s + 0.5, 86400) / 3600));
  return out;
}

std::string to_rfc3339(WallTime t) {
  if (!t.set()) return {};
  int64_t seconds = t.us / 1000000;
  int64_t micros = t.us % 1000000;
  if (micros < 0) {
    micros += 1000000;
    --seconds;
  }
  std::time_t clock_seconds = seconds;
  tm parts{};
  if (!::gmtime_r(&clock_seconds, &parts)) return {};
  char out[80];
  std::snprintf(out, sizeof out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(micros));
  return out;
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  auto bad = [&] {
    return fail(ErrorCode::usage, "invalid time '" + std::string(text.substr(0, 40)) + "'",
                "write RFC 3339, for example 2026-11-25T09:00:00Z");
  };
  std::string_view rest = text;
  bool good = true;
  // `count` digits, from `least` to `most`, then the character `after` unless that is 0.
  auto number = [&](size_t count, int least, int most, char after) {
    int value = 0;
    for (size_t i = 0; i < count; ++i) {
      good = good && i < rest.size() && rest[i] >= '0' && rest[i] <= '9';
      if (good) value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(std::min(count, rest.size()));
    good = good && value >= least && value <= most;
    if (after) {
      good = good && rest.starts_with(after);
      rest.remove_prefix(std::min<size_t>(1, rest.size()));
    }
    return value;
  };
  tm parts{};
  parts.tm_year = number(4, 0, 9999, '-') - 1900;
  parts.tm_mon = number(2, 1, 12, '-') - 1;
  parts.tm_mday = number(2, 1, 31, 'T');
  parts.tm_hour = number(2, 0, 23, ':');
  parts.tm_min = number(2, 0, 59, ':');
  parts.tm_sec = number(2, 0, 60, 0);  // 60: a leap second, which Unix time does not count
  if (!good) return bad();
  int64_t micros = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    int64_t scale = 100000;
    size_t digits = 0;
    for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; ++digits) {
      micros += (rest[0] - '0') * scale;
      scale /= 10;
      rest.remove_prefix(1);
    }
    if (digits == 0 || digits > 9) return bad();
  }
  int64_t offset = 0;
  if (rest != "Z") {
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-')) return bad();
    const int64_t sign = rest[0] == '-' ? -1 : 1;
    rest.remove_prefix(1);
    const int hours = number(2, 0, 23, ':');
    offset = sign * (hours * 3600 + number(2, 0, 59, 0) * 60);
    if (!good) return bad();
  }
  tm checked = parts;
  checked.tm_sec = std::min(parts.tm_sec, 59);
  const int64_t seconds = int64_t{::timegm(&checked)} + (parts.tm_sec == 60 ? 1 : 0);
  if (checked.tm_mday != parts.tm_mday) return bad();  // 30 February
  return WallTime{(seconds - offset) * 1000000 + micros};
}

std::string human(WallTime t, WallTime now) {
  if (!t.set()) return "-";
  std::time_t seconds = t.us / 1000000;
  std::time_t now_seconds = now.us / 1000000;
  tm parts{};
  tm today{};
  if (!::localtime_r(&seconds, &parts) || !::localtime_r(&now_seconds, &today)) return "-";
  bool same_day = parts.tm_year == today.tm_year && parts.tm_yday == today.tm_yday;
  char out[32];
  std::strftime(out, sizeof out, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &parts);
  return out;
}

}  // namespace fabric
