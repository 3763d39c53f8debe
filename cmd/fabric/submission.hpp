// SPDX-License-Identifier: Apache-2.0
// From options and files to Submissions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "fabric/arguments.hpp"
#include "supervisor/client.hpp"

namespace fabric::cmd {

// Options that `schedule` and `run` share.
inline constexpr Option k_task_options[] = {
    {"--id", "", "ID", "The task's id. Default: a new UUID. The same task again is not run again."},
    {"--type", "", "TYPE", "What kind of task it is, for you and for its agent."},
    {"--payload", "", "JSON|@FILE|-",
     "Its input: JSON, a file that holds it, or standard input. Default: {}.", Takes::value,
     Complete::file},
    {"--priority", "", "PRIORITY", "How urgent it is. Default: normal.", Takes::value,
     Complete::nothing, "critical|high|normal|low"},
    {"--timeout", "", "DURATION", "Stop it when it has run for this long, for example 30s."},
    {"--metadata", "", "KEY=VALUE", "Something to remember about it.", Takes::values}};

// One task from those options, for `agent`.
Result<Submission> submission_from(const Arguments& arguments, const std::string& agent);

// Slices of at most this many lines and bytes go into one transaction.
constexpr size_t k_slice_lines = 10000;
constexpr size_t k_slice_bytes = size_t{8} << 20;

// Reads lines of `path` ("-": standard input) and hands over slices, each to be all or nothing.
// Stops at the first error of `submit`. Empty lines are left out, but counted.
Status for_each_slice(const std::string& path,
                      const std::function<Status(const Submission& slice)>& submit);

}  // namespace fabric::cmd
