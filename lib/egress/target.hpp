// SPDX-License-Identifier: Apache-2.0
// Where a program wants to go: a name or an address, and a port.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "egress/address.hpp"

namespace fabric::egress {

struct Target {
  std::string name;  // lower case, no last dot; of an address its text
  std::optional<Address> address;
  uint16_t port = 0;
  bool operator==(const Target&) const = default;
};

// HOST or HOST:PORT or [V6]:PORT. nullopt: no host name, no address, or port 0. A name whose last
// label is a number is refused: some resolvers read it as an address (127.1, 2130706433).
std::optional<Target> parse_target(std::string_view text, uint16_t default_port);

}  // namespace fabric::egress
