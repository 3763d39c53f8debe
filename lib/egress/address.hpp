// SPDX-License-Identifier: Apache-2.0
// IP addresses of both families in one form, and what kind of network one belongs to. A name that
// an agent may reach can be made to resolve to anything, so the address is judged, not the name.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fabric::egress {

// IPv4 as ::ffff:a.b.c.d.
struct Address {
  std::array<uint8_t, 16> bytes{};
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] std::string text() const;
  auto operator<=>(const Address&) const = default;
};
// Only what inet_pton(3) takes, also "[...]" around IPv6: never 127.1, 0x7f000001 or 017700000001.
std::optional<Address> parse_address(std::string_view text);
bool in_network(const Address& address, const std::array<uint8_t, 16>& network, unsigned prefix);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
SocketAddress socket_address(const Address& address, uint16_t port);
// nullopt for other families.
std::optional<Address> address_of(const sockaddr_storage& storage, uint16_t* port = nullptr);

enum class AddressClass : uint8_t {
  is_public,
  is_private,  // RFC 1918, RFC 6598, RFC 4193, benchmarking, documentation: no public host
  loopback,
  own,         // of an interface of this machine
  link_local,  // its neighbours, and the metadata services of clouds
  metadata,
  reserved,  // nothing that one connects to: 0.0.0.0/8, multicast, broadcast
};
std::string_view to_string(AddressClass value);
// Looks through what carries an IPv4 address in an IPv6 one (NAT64, 6to4, Teredo, compatible).
AddressClass classify(const Address& address, std::span<const Address> own = {});

}  // namespace fabric::egress
