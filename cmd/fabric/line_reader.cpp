// SPDX-License-Identifier: Apache-2.0
#include "fabric/line_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace fabric::cmd {

Result<LineReader> LineReader::open(const std::string& path) {
  LineReader reader;
  reader.path_ = path == "-" ? "standard input" : path;
  if (path != "-") reader.file_ = TRY(open_file(path, O_RDONLY));
  return reader;
}

Result<bool> LineReader::next(std::string& line) {
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

Status LineReader::fill() {
  buffer_.erase(0, start_);
  scanned_ = buffer_.size();
  start_ = 0;
  if (buffer_.size() > k_longest_line)
    return fail(ErrorCode::usage,
                path_ + " has a line of more than " + std::to_string(k_longest_line) + " bytes");
  const size_t had = buffer_.size();
  buffer_.resize(had + 65536 * 4);
  ssize_t n = 0;
  do {
    n = ::read(file_.valid() ? file_.get() : STDIN_FILENO, buffer_.data() + had,
               buffer_.size() - had);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return fail_errno(errno, "reading " + path_);
  buffer_.resize(had + static_cast<size_t>(n));
  at_end_ = n == 0;
  return {};
}

}  // namespace fabric::cmd
