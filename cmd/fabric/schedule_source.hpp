// SPDX-License-Identifier: Apache-2.0
// Where `fabric schedule` takes its tasks from.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "fabric/submission.hpp"
#include "fabric/task_options.hpp"

namespace fabric::cmd {

inline constexpr Option k_source_options[] = {
    {"--batch", "", "FILE|-",
     "Schedule many: one JSON object a line, with the fields that the description lists.",
     Takes::value, Complete::file},
    {"--array", "", "NUMBERS|@FILE",
     "Schedule the same task for each of 1-1000, 1-10:2 or 1,5,9, or for each line of a file that "
     "is not empty; {item} in the payload and in metadata stands for it.",
     Takes::value, Complete::file},
    {"--dag", "", "FILE",
     "Schedule tasks that depend on each other, from TOML or JSON: all of them or none.",
     Takes::value, Complete::file},
    {"--every", "", "EXPR",
     "Schedule it again and again: a cron expression ('0 9 * * 1-5'), or '@every 15m'."},
    {"--timezone", "", "ZONE",
     "The time zone that --every means, for example Europe/Berlin. Default: the local one."},
    {"--missed", "", "POLICY",
     "What becomes of runs whose time passed while no supervisor was there: skip, once (one run "
     "for all of them) or all. Default: skip.",
     Takes::value, Complete::nothing, "skip|once|all"}};

struct ScheduleSource {
  enum class Kind : uint8_t { one, batch, array, dag, recurring };
  Kind kind = Kind::one;
  std::string from;   // the value of its option
  std::string agent;  // "": required, or said by each task
  std::string group;  // of an array or a DAG: given, or new
};

// Refuses what does not go together.
Result<ScheduleSource> schedule_source(const Arguments& arguments);

// The tasks, a transaction at a time. Not of a recurring one.
Status for_each_submission(const Arguments& arguments, const ScheduleSource& source,
                           size_t most_lines, const Submit& submit);

}  // namespace fabric::cmd
