// SPDX-License-Identifier: Apache-2.0
// When a task that ended badly is tried again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric {

struct Backoff {
  bool exponential = false;  // doubles with each retry, up to `most`
  Duration first;
  Duration most;
  bool operator==(const Backoff&) const = default;
};
// "none", "10s" (always the same), "exp:1s:5m" (1s, 2s, 4s ... 5m).
Result<Backoff> parse_backoff(std::string_view text);
std::string to_string(const Backoff& backoff);
// Before the n-th retry (1 is the first). Up to a tenth is added, by `seed`: tasks that failed
// together do not come back together.
Duration delay_before(const Backoff& backoff, uint32_t retry, uint64_t seed);

struct RetryPolicy {
  uint32_t limit = 0;  // how many times, in addition to the first run
  Backoff backoff;
  // "failed", "timed_out", "lost", "exit:N". Empty: the first three.
  std::vector<std::string> on;
  bool operator==(const RetryPolicy&) const = default;
};
Status check_retry_on(std::string_view text);
constexpr uint32_t k_max_retries = 1000;
constexpr size_t k_max_retry_on = 32;

}  // namespace fabric
