// SPDX-License-Identifier: Apache-2.0
// What a program is told in its own protocol when a connection is refused or fails.
#pragma once

#include <string>
#include <string_view>

#include "egress/socks5.hpp"

namespace fabric::egress {

// "403 Forbidden" and the like. `rule`: what decided, for X-Fabric-Denied; `allow`: what would
// allow it, or "".
std::string http_answer(int status, const std::string& why, const std::string& rule,
                        const std::string& allow);
std::string http_established();
// A fatal alert access_denied (RFC 8446, 6.2), before any key is agreed on.
std::string tls_denied();
SocksReply socks_failure(int error);
// Printable ASCII, at most 200 bytes: for headers and messages.
std::string printable(std::string_view text);

}  // namespace fabric::egress
