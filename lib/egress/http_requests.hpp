// SPDX-License-Identifier: Apache-2.0
// All requests of one HTTP/1 connection, one after the other: each head is shown to the caller
// before a byte of it goes on, bodies pass as they are. After an upgrade that the server has
// accepted, everything passes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "egress/http_head.hpp"

namespace fabric::egress {

class HttpRequests {
 public:
  // What to send in place of the head, or nullopt to refuse it.
  using OnHead = std::function<std::optional<std::string>(HttpHead& head)>;
  explicit HttpRequests(OnHead on_head) : on_head_(std::move(on_head)) {}

  // Appends to `out` what may go on. False: refused; `why` says why, or is "" when on_head refused.
  bool feed(std::string_view bytes, std::string& out, std::string& why);
  // An upgrade was asked for: nothing goes on before the server has answered.
  [[nodiscard]] bool waits_for_answer() const { return state_ == State::upgrading; }
  bool answered(bool switched, std::string& out, std::string& why);
  [[nodiscard]] bool tunnel() const { return state_ == State::tunnel; }
  [[nodiscard]] bool between_requests() const { return state_ == State::head && held_.empty(); }
  [[nodiscard]] size_t heads() const { return heads_; }

 private:
  enum class State : uint8_t {
    head,
    body,
    chunk_size,
    chunk,
    chunk_end,
    trailer,
    upgrading,
    tunnel
  };
  bool step(std::string& out, std::string& why, bool& progress);
  bool head_step(std::string& out, std::string& why, bool& progress);
  bool line_step(std::string& out, std::string& why, bool& progress);
  bool chunk_size_line(std::string_view line, std::string& why);
  void pass(size_t n, std::string& out);

  OnHead on_head_;
  State state_ = State::head;
  [[nodiscard]] std::string_view rest() const { return std::string_view(held_).substr(done_); }

  std::string held_;  // came; from done_ on it did not go on yet
  size_t done_ = 0;
  uint64_t left_ = 0;
  size_t heads_ = 0, trailers_ = 0;
};

}  // namespace fabric::egress
