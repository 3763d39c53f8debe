// SPDX-License-Identifier: Apache-2.0
// SOCKS version 5 (RFC 1928), of which CONNECT without authentication is served. Names are taken as
// names: whoever speaks SOCKS leaves resolving to us.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "egress/target.hpp"

namespace fabric::egress {

enum class SocksReply : uint8_t {
  succeeded = 0,
  failed = 1,
  not_allowed = 2,
  network_unreachable = 3,
  host_unreachable = 4,
  refused = 5,
  command_unknown = 7,
  address_unknown = 8,
};

// One conversation up to its request. Feed it all bytes that came; it never keeps them.
class Socks5 {
 public:
  enum class State : uint8_t { more, bad, complete };
  // Takes from the front of `bytes` what it has understood and appends what to answer. `bad`: the
  // answer is all there is to say.
  State feed(std::string& bytes, std::string& answer);
  [[nodiscard]] const Target& target() const { return target_; }

  static std::string reply(SocksReply code);

 private:
  State greeting(std::string& bytes, std::string& answer);
  State request(std::string& bytes, std::string& answer);
  bool greeted_ = false;
  Target target_;
};

}  // namespace fabric::egress
