// SPDX-License-Identifier: Apache-2.0
#include "egress/redactor.hpp"

#include <utility>

namespace fabric::egress {

namespace {

// A chunk ends and another begins: CRLF, its size, an extension perhaps, CRLF. What is longer than
// this is none.
constexpr size_t k_longest_chunk_line = 128;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The size of a chunk line at `at`, 0 when there is none, npos when more bytes must tell.
size_t chunk_line(std::string_view all, size_t at) {
  const std::string_view rest = all.substr(at);
  if (!rest.starts_with("\r\n")) return rest == "\r" ? std::string_view::npos : 0;
  if (rest.size() > 2 && !is_hex(rest[2])) return 0;
  const size_t end = rest.find("\r\n", 2);
  if (end == std::string_view::npos)
    return rest.size() < k_longest_chunk_line ? std::string_view::npos : 0;
  return end + 2;
}

}  // namespace

// Whether text_ from its byte `first` on is at `at`; found_ tells where.
Redactor::Match Redactor::match(std::string_view all, size_t at, size_t first) {
  found_.clear();
  for (size_t i = first; i < text_.size(); ++i) {
    if (i > 0 && at < all.size() && all[at] == '\r') {
      const size_t line = chunk_line(all, at);
      if (line == std::string_view::npos) return Match::partial;
      at += line;
    }
    if (at >= all.size()) return Match::partial;
    if (all[at] != text_[i]) return Match::no;
    found_.push_back(at++);
  }
  return Match::whole;
}

std::string Redactor::feed(std::string_view bytes) {
  std::string all = std::exchange(held_, {});
  all += bytes;
  if (text_.empty() || bytes.empty()) return all;
  const auto cover = [&] {
    for (const size_t i : found_) all[i] = '*';
  };
  if (given_ > 0) {
    const Match rest = match(all, 0, given_);
    if (rest != Match::no) cover();  // of a partial one too: what was given out is its beginning
    given_ = rest == Match::partial ? given_ + found_.size() : 0;
    if (given_ > 0) return all;
  }
  for (size_t at = all.find(text_[0]); at != std::string::npos; at = all.find(text_[0], at + 1)) {
    const Match here = match(all, at, 0);
    if (here == Match::whole) cover();
    if (here != Match::partial) continue;
    held_ = all.substr(at);
    all.resize(at);
    break;
  }
  return all;
}

std::string Redactor::end() {
  if (!held_.empty() && match(held_, 0, 0) == Match::partial) given_ = found_.size();
  return std::exchange(held_, {});
}

}  // namespace fabric::egress
