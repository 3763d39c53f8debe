// SPDX-License-Identifier: Apache-2.0
// From lines to Submissions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "supervisor/client.hpp"

namespace fabric::cmd {

// Without lines: who asks, under a new request id.
Submission new_submission();
Submission submission_of(const std::string& line);

// Slices of at most this many lines and bytes go into one transaction.
constexpr size_t k_slice_lines = 10000;
constexpr size_t k_slice_bytes = size_t{8} << 20;
// When each is to wait for space: a slice goes into a queue whole or not at all.
constexpr size_t k_small_slice_lines = 100;

using Submit = std::function<Status(const Submission& slice)>;

// Gathers lines and hands over slices, each to be all or nothing. Stops at the first error of
// `submit`.
class Slices {
 public:
  Slices(size_t most_lines, const Submit& submit);
  // `number` of the line is for messages; it grows by one with each.
  Status add(std::string_view line, size_t number);
  Status finish();

 private:
  size_t most_lines_;
  const Submit& submit_;
  Submission slice_;
  size_t in_slice_ = 0;
};

// The lines of `path` ("-": standard input). Empty lines are left out, but counted.
Status for_each_slice(const std::string& path, size_t most_lines, const Submit& submit);

}  // namespace fabric::cmd
