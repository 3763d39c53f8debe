// SPDX-License-Identifier: Apache-2.0
#include "egress/client_hello.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace fabric::egress {
namespace {

constexpr uint8_t k_handshake = 0x16, k_client_hello = 1;
constexpr unsigned k_extension_server_name = 0;

// Reads from a view and remembers when there was too little.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}
  unsigned number(size_t width) {
    const std::string_view bytes = take(width);
    unsigned out = 0;
    for (const char c : bytes) out = out << 8 | static_cast<uint8_t>(c);
    return out;
  }
  std::string_view take(size_t n) {
    if (n > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  // A vector with a length of `width` bytes before it.
  std::string_view vector(size_t width) {
    const unsigned length = number(width);
    return failed_ ? std::string_view{} : take(length);
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// What the records hold, joined. nullopt: not a handshake. Stops at the end of what came.
std::optional<std::string> handshake_bytes(std::string_view bytes) {
  std::string joined;
  while (!bytes.empty()) {
    if (static_cast<uint8_t>(bytes[0]) != k_handshake) return std::nullopt;
    if (bytes.size() > 1 && bytes[1] != 3) return std::nullopt;
    if (bytes.size() < 5) break;
    const size_t length =
        static_cast<size_t>(static_cast<uint8_t>(bytes[3])) << 8 | static_cast<uint8_t>(bytes[4]);
    if (length == 0 || length > k_max_client_hello) return std::nullopt;
    joined += bytes.substr(5, length);
    bytes.remove_prefix(std::min(bytes.size(), 5 + length));
  }
  return joined;
}

bool read_server_name(std::string_view extension, ClientHello& hello) {
  Cursor list(Cursor(extension).vector(2));
  const unsigned type = list.number(1);
  const std::string_view name = list.vector(2);
  // One host name, as RFC 6066 has it: a second one is for whoever reads differently.
  if (list.failed() || !list.empty() || type != 0 || name.empty()) return false;
  hello.server_name = std::string(name);
  hello.named = true;
  return true;
}

bool read_body(std::string_view body, ClientHello& hello) {
  Cursor in(body);
  in.take(2 + 32);
  in.vector(1);  // session
  in.vector(2);  // cipher suites
  in.vector(1);  // compression
  if (in.failed()) return false;
  if (in.empty()) return true;
  Cursor extensions(in.vector(2));
  if (in.failed() || !in.empty()) return false;
  while (!extensions.empty()) {
    const unsigned type = extensions.number(2);
    const std::string_view value = extensions.vector(2);
    if (extensions.failed()) return false;
    if (type == k_extension_server_name && (hello.named || !read_server_name(value, hello)))
      return false;
  }
  return true;
}

}  // namespace

ClientHello parse_client_hello(std::string_view bytes) {
  ClientHello hello;
  const std::optional<std::string> joined = handshake_bytes(bytes);
  if (!joined) {
    hello.state = ClientHello::State::bad;
    return hello;
  }
  const std::string_view message = *joined;
  size_t length = 0;
  if (message.size() >= 4)
    for (size_t i = 1; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(message[i]);
  if ((!message.empty() && message[0] != k_client_hello) || length > k_max_client_hello) {
    hello.state = ClientHello::State::bad;
    return hello;
  }
  if (message.size() < 4 || message.size() < 4 + length) {
    hello.state = bytes.size() >= k_max_client_hello + 64 ? ClientHello::State::bad
                                                          : ClientHello::State::more;
    return hello;
  }
  hello.state = read_body(message.substr(4, length), hello) ? ClientHello::State::complete
                                                            : ClientHello::State::bad;
  return hello;
}

}  // namespace fabric::egress
