// SPDX-License-Identifier: Apache-2.0
#include "egress/http_requests.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace fabric::egress {

namespace {
constexpr size_t k_max_line = 4096, k_max_trailers = 100;
}

bool HttpRequests::feed(std::string_view bytes, std::string& out, std::string& why) {
  if (state_ == State::tunnel) {
    out += bytes;
    return true;
  }
  held_ += bytes;
  bool good = true;
  for (bool progress = true; good && progress && !rest().empty();) {
    progress = false;
    good = step(out, why, progress);
  }
  // Once for all: a piece may hold thousands of chunks.
  held_.erase(0, std::exchange(done_, 0));
  return good;
}

bool HttpRequests::answered(bool switched, std::string& out, std::string& why) {
  if (state_ != State::upgrading) return true;
  state_ = switched ? State::tunnel : left_ > 0 ? State::body : State::head;
  const std::string held = std::move(held_);
  held_.clear();
  return feed(held, out, why);
}

void HttpRequests::pass(size_t n, std::string& out) {
  out.append(held_, done_, n);
  done_ += n;
}

bool HttpRequests::step(std::string& out, std::string& why, bool& progress) {
  switch (state_) {
    case State::head:
      return head_step(out, why, progress);
    case State::body:
    case State::chunk: {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(left_, rest().size()));
      pass(n, out);
      left_ -= n;
      if (left_ == 0) state_ = state_ == State::body ? State::head : State::chunk_end;
      progress = true;
      return true;
    }
    case State::chunk_size:
    case State::chunk_end:
    case State::trailer:
      return line_step(out, why, progress);
    case State::upgrading:
      why = "too much was sent before the server answered the upgrade";
      return rest().size() <= k_max_http_head;
    case State::tunnel:
      pass(rest().size(), out);
      return true;
  }
  return false;
}

bool HttpRequests::head_step(std::string& out, std::string& why, bool& progress) {
  HttpHead head;
  const HttpState state = parse_http_head(rest(), head, why);
  if (state == HttpState::bad) return false;
  why.clear();
  if (state == HttpState::more) return true;
  const size_t size = head.size;
  if (const std::string* upgrade = head.find("upgrade"); upgrade != nullptr && !head.upgrade) {
    // With h2c the rest of the connection would be HTTP/2, whose hosts nobody here reads. A server
    // that is not asked for it goes on with HTTP/1.1 (RFC 9110, 7.8).
    head.remove("upgrade");
    head.remove("http2-settings");
  }
  std::optional<std::string> instead = on_head_(head);
  if (!instead) return false;
  ++heads_;
  out += *instead;
  done_ += size;
  left_ = head.body == HttpHead::Body::length ? head.length : 0;
  if (head.upgrade) {
    why = "an upgrade with a chunked body";
    if (head.body == HttpHead::Body::chunked) return false;
    why.clear();
    state_ = State::upgrading;
  } else if (head.body == HttpHead::Body::chunked) {
    state_ = State::chunk_size;
  } else if (left_ > 0) {
    state_ = State::body;
  }
  progress = true;
  return true;
}

bool HttpRequests::chunk_size_line(std::string_view line, std::string& why) {
  // Extensions have no use and servers differ in where they end (CVE-2025-55315): refused.
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
  if (line.empty() || line[0] == '-' || error != std::errc{} || end != line.data() + line.size() ||
      left_ >= (uint64_t{1} << 60)) {
    why = "the size of a chunk is malformed";
    return false;
  }
  trailers_ = 0;
  state_ = left_ == 0 ? State::trailer : State::chunk;
  return true;
}

bool HttpRequests::line_step(std::string& out, std::string& why, bool& progress) {
  const size_t end = rest().find("\r\n");
  why = "a line of a chunked body is malformed";
  if (end == std::string::npos) {
    if (rest().size() > k_max_line) return false;
    // A bare CR or LF cannot become part of a good line any more.
    const size_t bad = rest().find('\n');
    why.clear();
    return bad == std::string::npos;
  }
  const std::string line(rest().substr(0, end));
  if (end > k_max_line || line.find_first_of("\r\n") != std::string::npos) return false;
  if (state_ == State::chunk_size) {
    if (!chunk_size_line(line, why)) return false;
  } else if (state_ == State::chunk_end) {
    if (!line.empty()) return false;
    state_ = State::chunk_size;
  } else {
    if (line.empty()) state_ = State::head;
    if (++trailers_ > k_max_trailers) return false;
  }
  why.clear();
  pass(end + 2, out);
  progress = true;
  return true;
}

}  // namespace fabric::egress
