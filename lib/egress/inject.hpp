// SPDX-License-Identifier: Apache-2.0
// Requests to http://NAME.inject/ inside: forwarded over verified TLS to the host of the rule with
// the secret put into a header. The secret never enters the sandbox: not in the request, and not in
// an answer that repeats it. One thread, the loop's.
#pragma once

#include <memory>
#include <string>

#include "egress/host.hpp"

namespace fabric::egress {

// `bytes`: what the client has sent already. The caller keeps the connection and then resumes it.
std::shared_ptr<Connection> make_injected(Engine& engine, Host& host, const Injection& injection,
                                          Fd client, std::string bytes);

}  // namespace fabric::egress
