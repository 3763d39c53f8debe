// SPDX-License-Identifier: Apache-2.0
// The server name in the first message of a TLS client (RFC 8446, RFC 6066), which a program sends
// in the clear. It may come in single bytes and over several records.
#pragma once

#include <string>
#include <string_view>

namespace fabric::egress {

constexpr size_t k_max_client_hello = 16384;

struct ClientHello {
  enum class State { more, bad, complete } state = State::more;
  bool named = false;
  std::string server_name;  // as sent
};
// `bytes`: all that came so far. Its first one is 0x16.
ClientHello parse_client_hello(std::string_view bytes);

}  // namespace fabric::egress
