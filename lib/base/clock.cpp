// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <ctime>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
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
  std::string out;
  int64_t rest = d.ns;
  for (const Unit& u : k_units) {
    if (u.name == "w" || rest < u.ns) continue;
    out += std::to_string(rest / u.ns) + std::string(u.name);
    rest %= u.ns;
  }
  return out;
}

std::string human(Duration d) {
  char out[64];
  double s = d.to_seconds();
  if (s < 0) s = 0;
  if (s < 0.001)
    std::snprintf(out, sizeof out, "%.0fus", s * 1e6);
  else if (s < 1)
    std::snprintf(out, sizeof out, "%.0fms", s * 1e3);
  else if (s < 60)
    std::snprintf(out, sizeof out, "%.1fs", s);
  else if (s < 3600)
    std::snprintf(out, sizeof out, "%dm %ds", static_cast<int>(s) / 60, static_cast<int>(s) % 60);
  else if (s < 86400)
    std::snprintf(out, sizeof out, "%dh %dm", static_cast<int>(s / 3600),
                  static_cast<int>(s) % 3600 / 60);
  else
    std::snprintf(out, sizeof out, "%lldd %dh", static_cast<long long>(s / 86400),
                  static_cast<int>(std::fmod(s, 86400) / 3600));
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
  const std::string copy(text);
  tm parts{};
  int consumed = 0;
  auto bad = [&] {
    return fail(ErrorCode::usage, "invalid time '" + copy + "'",
                "write RFC 3339, for example 2026-11-25T09:00:00Z");
  };
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &consumed) != 6)
    return bad();
  std::string_view rest = std::string_view(copy).substr(static_cast<size_t>(consumed));
  int64_t micros = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    int64_t scale = 100000;
    size_t digits = 0;
    while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      micros += (rest[0] - '0') * scale;
      scale /= 10;
      ++digits;
      rest.remove_prefix(1);
    }
    if (digits == 0 || digits > 9) return bad();
  }
  int64_t offset = 0;
  if (rest != "Z") {
    int hours = 0;
    int minutes = 0;
    char sign = 0;
    int used = 0;
    const std::string zone(rest);
    if (std::sscanf(zone.c_str(), "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 ||
        static_cast<size_t>(used) != zone.size() || (sign != '+' && sign != '-'))
      return bad();
    offset = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  tm checked = parts;
  std::time_t seconds = ::timegm(&checked);
  if (checked.tm_mday != parts.tm_mday || checked.tm_mon != parts.tm_mon ||
      checked.tm_hour != parts.tm_hour)
    return bad();
  return WallTime{(int64_t{seconds} - offset) * 1000000 + micros};
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
