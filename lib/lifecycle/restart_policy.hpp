// SPDX-License-Identifier: Apache-2.0
// When a thing that died by itself is started again: at once the first time, then with a delay that
// doubles, and not any more when it died too often in a short time. Pure. One thread.
#pragma once

#include <deque>
#include <optional>

#include "base/clock.hpp"

namespace fabric {

class RestartPolicy {
 public:
  static constexpr size_t k_max_in_window = 8;
  static constexpr Duration k_window = Duration::seconds(60);

  // It died at `now`: how long to wait before the next start; nullopt means give up.
  std::optional<Duration> died(MonoTime now);

 private:
  std::deque<MonoTime> deaths_;
};

}  // namespace fabric
