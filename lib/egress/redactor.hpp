// SPDX-License-Identifier: Apache-2.0
// Puts asterisks over a text wherever it occurs in a stream, also across the pieces that it comes
// in.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace fabric::egress {

class Redactor {
 public:
  explicit Redactor(std::string text) : text_(std::move(text)) {}
  // What may go on; the end of `bytes` is held back where it could be the beginning of the text.
  std::string feed(std::string_view bytes);
  std::string end() { return std::exchange(held_, {}); }

 private:
  std::string text_, held_;
};

}  // namespace fabric::egress
