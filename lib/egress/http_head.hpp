// SPDX-License-Identifier: Apache-2.0
// The head of an HTTP/1 request (RFC 9112), read so strictly that no server can read it otherwise:
// what is unusual is refused, not repaired.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fabric::egress {

constexpr size_t k_max_http_head = 65536;

struct HttpHead {
  enum class Body : uint8_t { none, length, chunked };
  std::string method, target, version;
  std::vector<std::pair<std::string, std::string>> headers;  // names as sent
  std::string host;                                          // of the Host header
  Body body = Body::none;
  uint64_t length = 0;
  bool upgrade = false;  // to another protocol than h2c
  size_t size = 0;       // of the head, in bytes

  [[nodiscard]] const std::string* find(std::string_view name) const;
  void remove(std::string_view name);
  [[nodiscard]] std::string text() const;
};
enum class HttpState : uint8_t { more, bad, complete };
// `bytes` begins with the head. `why` is set when it is bad.
HttpState parse_http_head(std::string_view bytes, HttpHead& head, std::string& why);

// What a program that speaks first speaks.
enum class Speech : uint8_t { more, tls, http, other };
Speech recognise(std::string_view bytes);

bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace fabric::egress
