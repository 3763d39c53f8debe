// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/restart_policy.hpp"

namespace fabric {

std::optional<Duration> RestartPolicy::died(MonoTime now) {
  while (!deaths_.empty() && now - deaths_.front() > k_window) deaths_.pop_front();
  deaths_.push_back(now);
  if (deaths_.size() > k_max_in_window) return std::nullopt;
  if (deaths_.size() == 1) return Duration{};
  return Duration::millis(int64_t{50} << (deaths_.size() - 2));
}

}  // namespace fabric
