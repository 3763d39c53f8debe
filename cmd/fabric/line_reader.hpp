// SPDX-License-Identifier: Apache-2.0
// Lines of a file or of standard input, in bounded memory.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric::cmd {

constexpr size_t k_longest_line = size_t{8} << 20;

class LineReader {
 public:
  // "-" is standard input.
  static Result<LineReader> open(const std::string& path);
  // False at the end of the file. The line comes without its line feed.
  Result<bool> next(std::string& line);

 private:
  Status fill();
  Fd file_;  // none: standard input
  std::string path_;
  std::string buffer_;
  size_t start_ = 0;
  size_t scanned_ = 0;
  bool at_end_ = false;
};

}  // namespace fabric::cmd
