// SPDX-License-Identifier: Apache-2.0
// Keeps the work directory of one command within its limit: looked at five times a second, and
// measured when what went of the file system meanwhile could have passed the limit, and now and
// then besides. No wall, as a DiskWatch is none: what is written between two looks is over the
// limit. In the thread that waits for the command, which has nothing else to do.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric {

class OneShotDisk {
 public:
  OneShotDisk(std::string directory, uint64_t limit_bytes)
      : directory_(std::move(directory)), limit_(limit_bytes) {}

  // Before the command begins: refused when the directory holds more already.
  Status begin();
  // Every k_look. What to say when it is over; `init`: in whose pid namespace those run who may
  // hold removed files open.
  std::optional<std::string> look(pid_t init);

  static constexpr Duration k_look = Duration::millis(200);

 private:
  [[nodiscard]] bool due(MonoTime now) const;
  std::optional<std::string> measure(const std::vector<pid_t>& processes);
  [[nodiscard]] uint64_t free_bytes() const;

  std::string directory_;
  uint64_t limit_;
  uint64_t used_ = 0, free_then_ = 0;
  MonoTime measured_at_;
  Duration took_;
};

}  // namespace fabric
