// SPDX-License-Identifier: Apache-2.0
// When a thing that died is started again; the test moves the time.
#include <catch2/catch.hpp>

#include "lifecycle/restart_policy.hpp"

using namespace fabric;

namespace {
constexpr MonoTime k_start{1000000000000};
}

TEST_CASE("the first death starts again at once, the next ones later and later") {
  RestartPolicy policy;
  MonoTime now = k_start;
  CHECK(policy.died(now) == Duration{});
  for (int64_t ms : {50, 100, 200, 400, 800, 1600, 3200}) {
    now = now + Duration::millis(ms);
    CHECK(policy.died(now) == Duration::millis(ms));
  }
  CHECK(policy.died(now) == std::nullopt);
  CHECK(policy.died(now) == std::nullopt);
}

TEST_CASE("deaths long ago are forgotten") {
  RestartPolicy policy;
  MonoTime now = k_start;
  for (size_t i = 0; i < RestartPolicy::k_max_in_window; ++i) CHECK(policy.died(now));
  now = now + RestartPolicy::k_window;
  CHECK_FALSE(policy.died(now));  // just inside
  RestartPolicy other;
  now = k_start;
  for (size_t i = 0; i < RestartPolicy::k_max_in_window; ++i) CHECK(other.died(now));
  now = now + RestartPolicy::k_window + Duration::nanoseconds(1);
  CHECK(other.died(now) == Duration{});
  CHECK(other.died(now) == Duration::millis(50));
}

TEST_CASE("who dies once a minute is always started again at once") {
  RestartPolicy policy;
  MonoTime now = k_start;
  for (int i = 0; i < 1000; ++i) {
    CHECK(policy.died(now) == Duration{});
    now = now + Duration::seconds(61);
  }
}

TEST_CASE("who dies every ten seconds is never given up") {
  RestartPolicy policy;
  MonoTime now = k_start;
  for (int i = 0; i < 1000; ++i) {
    std::optional<Duration> delay = policy.died(now);
    REQUIRE(delay);
    CHECK(*delay <= Duration::millis(1600));
    now = now + Duration::seconds(10);
  }
}
