// SPDX-License-Identifier: Apache-2.0
// A task that comes again and again.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric {

// What becomes of runs whose time passed while no supervisor was there.
enum class MissedRuns : uint8_t { skip, once, all };
std::string_view to_string(MissedRuns missed);
Result<MissedRuns> parse_missed_runs(std::string_view text);

struct Recurring {
  std::string id;
  std::string every;     // a cron expression, or "@every 15m"
  std::string timezone;  // IANA name, or "UTC"
  MissedRuns missed = MissedRuns::skip;
  std::string line;  // the task, as one line of a submission, without id
  std::string user, correlation_id;
  WallTime created_at;
  WallTime due;       // the next run; each run has the id of this and its time, so it runs once
  WallTime last_run;  // due time of the last run that was scheduled
  uint64_t runs = 0;
  uint64_t missed_runs = 0;
  std::string detail;  // why the last run could not be scheduled; "" when it could
};

// The id of its run at that time: "ID.20261125T090000Z".
constexpr size_t k_run_suffix = 17;
std::string run_id(const Recurring& recurring, WallTime due);

}  // namespace fabric
