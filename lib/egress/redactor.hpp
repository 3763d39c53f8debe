// SPDX-License-Identifier: Apache-2.0
// Puts asterisks over a text wherever it occurs in a stream of HTTP, also across the pieces that it
// comes in, and across the chunks of a chunked body (RFC 9112, 7.1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fabric::egress {

class Redactor {
 public:
  explicit Redactor(std::string text) : text_(std::move(text)) {}
  // What may go on; the end of `bytes` is held back where it could be the beginning of the text.
  std::string feed(std::string_view bytes);
  // What is held back, when nothing follows for now. Should the rest of the text follow after all,
  // that is covered.
  std::string end();
  [[nodiscard]] bool holds() const { return !held_.empty(); }

 private:
  enum class Match { no, partial, whole };
  Match match(std::string_view all, size_t at, size_t first);

  std::string text_, held_;
  size_t given_ = 0;  // bytes of the text that end() has given out last
  std::vector<size_t> found_;
};

}  // namespace fabric::egress
