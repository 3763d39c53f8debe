// SPDX-License-Identifier: Apache-2.0
#include "fabric/submission.hpp"

#include "base/id.hpp"
#include "fabric/line_reader.hpp"
#include "fabric/session.hpp"

namespace fabric::cmd {

Submission new_submission() {
  Submission submission;
  submission.request_id = make_uuid7();
  submission.user = login_name();
  submission.correlation_id = correlation_id();
  submission.traceparent = traceparent();
  return submission;
}

Submission submission_of(const std::string& line) {
  Submission submission = new_submission();
  submission.lines = line + "\n";
  return submission;
}

Slices::Slices(size_t most_lines, const Submit& submit)
    : most_lines_(most_lines), submit_(submit), slice_(new_submission()) {}

Status Slices::add(std::string_view line, size_t number) {
  if (in_slice_ > 0 && slice_.lines.size() + line.size() >= k_slice_bytes) TRY_STATUS(finish());
  if (in_slice_ == 0) slice_.first_line = number;
  // An empty line keeps its place, so that the numbers in messages are those of the file.
  slice_.lines.append(line).append("\n");
  return ++in_slice_ == most_lines_ ? finish() : Status{};
}

Status Slices::finish() {
  if (in_slice_ == 0) return {};
  TRY_STATUS(submit_(slice_));
  slice_.request_id = make_uuid7();
  slice_.lines.clear();
  in_slice_ = 0;
  return {};
}

Status for_each_slice(const std::string& path, size_t most_lines, const Submit& submit) {
  LineReader reader = TRY(in_context(LineReader::open(path), "--batch"));
  Slices slices(most_lines, submit);
  std::string line;
  for (size_t number = 1; TRY(reader.next(line)); ++number) TRY_STATUS(slices.add(line, number));
  return slices.finish();
}

}  // namespace fabric::cmd
