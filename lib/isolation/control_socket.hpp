// SPDX-License-Identifier: Apache-2.0
// The sockets between supervisor and init. Paths may be longer than the 108 bytes of sockaddr_un:
// they are reached through a descriptor of their directory.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// Bound with mode 0600 and listening; replaces a left-over socket.
Result<Fd> listen_at(const std::string& path);
// not_found when nobody listens.
Result<Fd> connect_to(const std::string& path);
Status remove_socket(const std::string& path);

Result<std::pair<Fd, Fd>> make_socket_pair();
Status send_with_descriptors(const Fd& socket, const std::string& packet,
                             const std::vector<int>& descriptors);

}  // namespace fabric
