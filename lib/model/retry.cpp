// SPDX-License-Identifier: Apache-2.0
#include "model/retry.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace fabric {
namespace {

// 100 years: above it sums of times would overflow.
constexpr Duration k_longest = Duration::seconds(int64_t{100} * 366 * 86400 / 2);

Result<Duration> parse_part(std::string_view text) {
  const Duration parsed = TRY(parse_duration(text));
  if (parsed > k_longest) return fail(ErrorCode::usage, "longer than 50 years");
  return parsed;
}

}  // namespace

Result<Backoff> parse_backoff(std::string_view text) {
  Backoff backoff;
  if (text == "none") return backoff;
  if (!text.starts_with("exp:")) {
    backoff.first = backoff.most = TRY(parse_part(text));
    return backoff;
  }
  text.remove_prefix(4);
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return fail(ErrorCode::usage, "a growing backoff needs its first and its longest pause",
                "for example exp:1s:5m");
  backoff.exponential = true;
  backoff.first = TRY(parse_part(text.substr(0, colon)));
  backoff.most = TRY(parse_part(text.substr(colon + 1)));
  if (backoff.first.ns == 0) return fail(ErrorCode::usage, "the first pause must be above 0s");
  if (backoff.most < backoff.first)
    return fail(ErrorCode::usage, "the longest pause is shorter than the first");
  return backoff;
}

std::string to_string(const Backoff& backoff) {
  if (backoff.exponential) return "exp:" + to_string(backoff.first) + ":" + to_string(backoff.most);
  return backoff.first.ns == 0 ? "none" : to_string(backoff.first);
}

Duration delay_before(const Backoff& backoff, uint32_t retry, uint64_t seed) {
  Duration delay = backoff.first;
  if (backoff.exponential)
    for (uint32_t i = 1; i < retry && delay < backoff.most; ++i)
      delay.ns = delay.ns > backoff.most.ns / 2 ? backoff.most.ns : delay.ns * 2;
  // splitmix64: spread out, and the same each time it is asked.
  uint64_t hash = seed * 0x9E3779B97F4A7C15U + retry;
  hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9U;
  hash ^= hash >> 27;
  return delay + Duration{delay.ns / 1000 * static_cast<int64_t>(hash % 100)};
}

Status check_retry_on(std::string_view text) {
  if (text == "failed" || text == "timed_out" || text == "lost") return {};
  if (text.starts_with("exit:")) {
    unsigned code = 0;
    std::string_view number = text.substr(5);
    const char* end = number.data() + number.size();
    const auto [at, error] = std::from_chars(number.data(), end, code);
    if (error == std::errc{} && at == end && code > 0 && code < 256) return {};
  }
  return fail(ErrorCode::usage, "'" + std::string(text.substr(0, 40)) + "' is no reason to retry",
              "use failed, timed_out, lost or exit:N with N from 1 to 255");
}

}  // namespace fabric
