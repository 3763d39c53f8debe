// SPDX-License-Identifier: Apache-2.0
#include "egress/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace fabric::egress {
namespace {

constexpr std::array<uint8_t, 12> k_mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct Range {
  std::array<uint8_t, 16> network;
  unsigned prefix;
  AddressClass value;
};

constexpr std::array<uint8_t, 16> four(uint8_t a, uint8_t b, uint8_t c = 0, uint8_t d = 0) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}
constexpr std::array<uint8_t, 16> six(uint16_t a, uint16_t b = 0, uint8_t last = 0,
                                      uint8_t before = 0) {
  return {static_cast<uint8_t>(a >> 8),
          static_cast<uint8_t>(a),
          static_cast<uint8_t>(b >> 8),
          static_cast<uint8_t>(b),
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          before,
          last};
}

// The first that fits counts. IANA special-purpose registries, and where clouds keep credentials.
constexpr Range k_ranges[] = {
    {four(169, 254, 169, 254), 128, AddressClass::metadata},  // AWS, Google, Azure, and others
    {four(169, 254, 170, 2), 128, AddressClass::metadata},    // AWS, credentials of containers
    {four(100, 100, 100, 200), 128, AddressClass::metadata},  // Alibaba
    {four(168, 63, 129, 16), 128, AddressClass::metadata},    // Azure
    {four(192, 0, 0, 192), 128, AddressClass::metadata},      // Oracle
    {six(0xfd00, 0x0ec2, 0x54, 0x02), 128, AddressClass::metadata},
    {four(0, 0), 104, AddressClass::reserved},
    {four(127, 0), 104, AddressClass::loopback},
    {four(169, 254), 112, AddressClass::link_local},
    {four(10, 0), 104, AddressClass::is_private},
    {four(172, 16), 108, AddressClass::is_private},
    {four(192, 168), 112, AddressClass::is_private},
    {four(100, 64), 106, AddressClass::is_private},
    {four(192, 0, 0), 120, AddressClass::is_private},
    {four(192, 0, 2), 120, AddressClass::is_private},
    {four(198, 18), 111, AddressClass::is_private},
    {four(198, 51, 100), 120, AddressClass::is_private},
    {four(203, 0, 113), 120, AddressClass::is_private},
    {four(224, 0), 100, AddressClass::reserved},
    {four(240, 0), 100, AddressClass::reserved},
    {six(0, 0, 1), 128, AddressClass::loopback},
    {six(0, 0), 128, AddressClass::reserved},
    {six(0xfe80), 10, AddressClass::link_local},
    {six(0xfec0), 10, AddressClass::is_private},
    {six(0xfc00), 7, AddressClass::is_private},
    {six(0xff00), 8, AddressClass::reserved},
    {six(0x0100), 64, AddressClass::reserved},
    {six(0x2001, 0x0db8), 32, AddressClass::is_private},
    {six(0x2001, 0x0002), 48, AddressClass::is_private},
    {six(0x5f00), 16, AddressClass::is_private},
};

Address mapped(const uint8_t* v4, uint8_t flip = 0) {
  Address out{four(0, 0)};
  for (size_t i = 0; i < 4; ++i) out.bytes[12 + i] = static_cast<uint8_t>(v4[i] ^ flip);
  return out;
}

// The IPv4 address that a gateway would send this one's packets to.
std::optional<Address> carried(const Address& address) {
  const uint8_t* b = address.bytes.data();
  const auto starts = [b](std::initializer_list<uint8_t> head) {
    return std::equal(head.begin(), head.end(), b);
  };
  if (starts({0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return mapped(b + 12);  // RFC 6052
  if (starts({0x00, 0x64, 0xff, 0x9b, 0, 1})) return mapped(b + 12);                    // RFC 8215
  if (starts({0x20, 0x02})) return mapped(b + 2);                                       // 6to4
  if (starts({0x20, 0x01, 0, 0})) return mapped(b + 12, 0xff);                          // Teredo
  if (starts({0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0})) return mapped(b + 12);  // RFC 7915, SIIT
  const bool compatible = std::all_of(b, b + 12, [](uint8_t x) { return x == 0; });
  if (compatible && (b[12] != 0 || b[13] != 0)) return mapped(b + 12);  // RFC 4291, 2.5.5.1
  if (b[8] == 0 || b[8] == 2) {                                         // ISATAP, RFC 5214
    if (b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe) return mapped(b + 12);
  }
  return std::nullopt;
}

}  // namespace

bool Address::is_v4() const { return std::equal(k_mapped.begin(), k_mapped.end(), bytes.begin()); }

std::string Address::text() const {
  char out[INET6_ADDRSTRLEN] = "";
  if (is_v4())
    ::inet_ntop(AF_INET, bytes.data() + 12, out, sizeof out);
  else
    ::inet_ntop(AF_INET6, bytes.data(), out, sizeof out);
  return out;
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    text = text.substr(1, text.size() - 2);
    if (text.find(':') == std::string_view::npos) return std::nullopt;
  }
  const std::string copy(text);
  if (copy.size() != std::strlen(copy.c_str())) return std::nullopt;
  std::array<uint8_t, 4> v4{};
  if (::inet_pton(AF_INET, copy.c_str(), v4.data()) == 1) return mapped(v4.data());
  Address out;
  if (::inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

bool in_network(const Address& address, const std::array<uint8_t, 16>& network, unsigned prefix) {
  const size_t whole = prefix / 8;
  if (std::memcmp(address.bytes.data(), network.data(), whole) != 0) return false;
  if (prefix % 8 == 0) return true;
  const unsigned mask = (0xff00U >> (prefix % 8)) & 0xffU;
  return (address.bytes[whole] & mask) == (network[whole] & mask);
}

SocketAddress socket_address(const Address& address, uint16_t port) {
  SocketAddress out;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data() + 12, 4);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
  }
  return out;
}

std::optional<Address> address_of(const sockaddr_storage& storage, uint16_t* port) {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    if (port != nullptr) *port = ntohs(v4.sin_port);
    std::array<uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &v4.sin_addr, 4);
    return mapped(bytes.data());
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    if (port != nullptr) *port = ntohs(v6.sin6_port);
    Address out;
    std::memcpy(out.bytes.data(), &v6.sin6_addr, 16);
    return out;
  }
  return std::nullopt;
}

std::string_view to_string(AddressClass value) {
  switch (value) {
    case AddressClass::is_public:
      return "public";
    case AddressClass::is_private:
      return "private";
    case AddressClass::loopback:
      return "this machine's loopback";
    case AddressClass::own:
      return "this machine's own";
    case AddressClass::link_local:
      return "link-local";
    case AddressClass::metadata:
      return "a cloud's metadata service";
    case AddressClass::reserved:
      return "reserved";
  }
  return "";
}

AddressClass classify(const Address& address, std::span<const Address> own) {
  for (const Range& range : k_ranges)
    if (in_network(address, range.network, range.prefix)) return range.value;
  if (std::find(own.begin(), own.end(), address) != own.end()) return AddressClass::own;
  if (const std::optional<Address> inner = carried(address)) {
    const AddressClass value = classify(*inner, own);
    // Whether a gateway is there nobody knows: the inner address decides, and tunnels are private.
    // So is the prefix for local use (RFC 8215), which may hold the inner address elsewhere.
    const bool certain = address.bytes[0] == 0 && address.bytes[5] == 0 && address.bytes[8] == 0;
    return value == AddressClass::is_public && !certain ? AddressClass::is_private : value;
  }
  return AddressClass::is_public;
}

}  // namespace fabric::egress
