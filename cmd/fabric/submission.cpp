// SPDX-License-Identifier: Apache-2.0
#include "fabric/submission.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.hpp"
#include "base/id.hpp"
#include "base/json.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "model/task.hpp"

namespace fabric::cmd {
namespace {

Submission empty_submission() {
  Submission submission;
  submission.request_id = make_uuid7();
  submission.user = login_name();
  submission.correlation_id = correlation_id();
  submission.traceparent = traceparent();
  return submission;
}

Result<std::string> read_payload(const std::string& text) {
  std::string payload = text;
  std::string where = "--payload";
  if (text == "-") {
    payload = TRY(in_context(read_all(STDIN_FILENO, k_max_payload), "--payload -"));
  } else if (text.starts_with('@')) {
    where = text.substr(1);
    payload = TRY(in_context(read_file(where, k_max_payload), "--payload"));
  }
  const Status valid = json::validate(payload);
  if (!valid)
    return fail(
        ErrorCode::usage, where + ": " + valid.error().message,
        text == payload && !text.starts_with('{')
            ? "text has to be quoted as JSON: --payload '\"text\"'; a file is --payload @FILE"
            : "");
  // A line feed in valid JSON stands between tokens, where a space means the same; tasks travel as
  // lines.
  std::replace(payload.begin(), payload.end(), '\n', ' ');
  std::replace(payload.begin(), payload.end(), '\r', ' ');
  return payload;
}

class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}
  // False at the end of the file. The line comes without its line feed.
  Result<bool> next(std::string& line) {
    for (;;) {
      const size_t end = buffer_.find('\n', scanned_);
      if (end != std::string::npos) {
        line.assign(buffer_, start_, end - start_);
        start_ = scanned_ = end + 1;
        return true;
      }
      if (at_end_) {
        line.assign(buffer_, start_);
        const bool some = start_ < buffer_.size();
        start_ = scanned_ = buffer_.size();
        return some;
      }
      TRY_STATUS(fill());
    }
  }

 private:
  Status fill() {
    buffer_.erase(0, start_);
    scanned_ = buffer_.size();
    start_ = 0;
    if (buffer_.size() > k_slice_bytes)
      return fail(ErrorCode::usage,
                  "a line of more than " + std::to_string(k_slice_bytes) + " bytes");
    const size_t had = buffer_.size();
    buffer_.resize(had + 65536 * 4);
    ssize_t n = 0;
    do {
      n = ::read(fd_, buffer_.data() + had, buffer_.size() - had);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return fail_errno(errno, "reading the batch");
    buffer_.resize(had + static_cast<size_t>(n));
    at_end_ = n == 0;
    return {};
  }
  int fd_;
  std::string buffer_;
  size_t start_ = 0;
  size_t scanned_ = 0;
  bool at_end_ = false;
};

}  // namespace

Result<Submission> submission_from(const Arguments& arguments, const std::string& agent) {
  TRY_STATUS(check_id(agent, "agent id"));
  json::Writer task;
  task.begin_object().field("agent", agent);
  if (const auto id = arguments.value("--id")) {
    TRY_STATUS(check_id(*id, "task id"));
    task.field("id", *id);
  }
  if (const auto type = arguments.value("--type")) task.field("type", *type);
  if (const auto priority = TRY(parsed(arguments, "--priority", parse_priority)))
    task.field("priority", to_string(*priority));
  if (const auto timeout = TRY(parsed(arguments, "--timeout", parse_duration))) {
    if (timeout->ns <= 0)
      return fail(ErrorCode::usage, "--timeout: a task needs more time than 0s");
    task.field("timeout_seconds", timeout->to_seconds());
  }
  const auto metadata = TRY(parsed_pairs(arguments, "--metadata"));
  if (!metadata.empty()) {
    task.key("metadata").begin_object();
    for (const auto& [key, value] : metadata) task.field(key, value);
    task.end_object();
  }
  task.key("payload").raw(TRY(read_payload(arguments.value("--payload").value_or("{}"))));
  task.end_object();
  Submission submission = empty_submission();
  submission.lines = task.take() + "\n";
  return submission;
}

Status for_each_slice(const std::string& path,
                      const std::function<Status(const Submission& slice)>& submit) {
  Fd file;
  if (path != "-") file = TRY(in_context(open_file(path, O_RDONLY), "--batch"));
  LineReader reader(file.valid() ? file.get() : STDIN_FILENO);
  Submission slice = empty_submission();
  size_t number = 0;  // of the line last read
  size_t in_slice = 0;
  std::string line;
  const auto hand_over = [&]() -> Status {
    if (in_slice == 0) return {};
    TRY_STATUS(submit(slice));
    slice.request_id = make_uuid7();
    slice.lines.clear();
    in_slice = 0;
    return {};
  };
  while (TRY(reader.next(line))) {
    ++number;
    if (in_slice > 0 && slice.lines.size() + line.size() >= k_slice_bytes) TRY_STATUS(hand_over());
    if (in_slice == 0) slice.first_line = number;
    // An empty line keeps its place, so that the numbers in messages are those of the file.
    slice.lines += line + "\n";
    if (++in_slice == k_slice_lines) TRY_STATUS(hand_over());
  }
  return hand_over();
}

}  // namespace fabric::cmd
