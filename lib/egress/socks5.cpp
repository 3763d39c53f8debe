// SPDX-License-Identifier: Apache-2.0
#include "egress/socks5.hpp"

#include <array>

namespace fabric::egress {
namespace {

constexpr char k_version = 5, k_connect = 1;
constexpr uint8_t k_v4 = 1, k_name = 3, k_v6 = 4;

uint8_t u8(const std::string& bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

Address address_at(const std::string& bytes, size_t at, size_t length) {
  Address out;
  if (length == 4) out.bytes[10] = out.bytes[11] = 0xff;
  for (size_t i = 0; i < length; ++i) out.bytes[16 - length + i] = u8(bytes, at + i);
  return out;
}

}  // namespace

std::string Socks5::reply(SocksReply code) {
  const std::array<char, 10> bytes{k_version, static_cast<char>(code), 0, 1, 0, 0, 0, 0, 0, 0};
  return {bytes.data(), bytes.size()};
}

Socks5::State Socks5::feed(std::string& bytes, std::string& answer) {
  if (!greeted_) {
    const State state = greeting(bytes, answer);
    if (state != State::complete) return state;
    greeted_ = true;
  }
  return request(bytes, answer);
}

Socks5::State Socks5::greeting(std::string& bytes, std::string& answer) {
  if (bytes.empty()) return State::more;
  if (bytes[0] == 4) {  // SOCKS 4: "rejected", in its own form
    answer += std::string("\0\x5b\0\0\0\0\0\0", 8);
    return State::bad;
  }
  if (bytes[0] != k_version) return State::bad;
  if (bytes.size() < 2 || bytes.size() < 2U + u8(bytes, 1)) return State::more;
  const std::string methods = bytes.substr(2, u8(bytes, 1));
  bytes.erase(0, 2 + methods.size());
  const bool open = methods.find('\0') != std::string::npos;
  answer += {k_version, open ? '\0' : '\xff'};
  return open ? State::complete : State::bad;
}

Socks5::State Socks5::request(std::string& bytes, std::string& answer) {
  if (bytes.size() < 5) return State::more;
  const uint8_t kind = u8(bytes, 3);
  const size_t length = kind == k_v4 ? 4 : kind == k_v6 ? 16 : kind == k_name ? u8(bytes, 4) : 0;
  const size_t begin = kind == k_name ? 5 : 4;
  if (bytes[0] != k_version || bytes[1] != k_connect || length == 0) {
    answer += reply(bytes[0] != k_version   ? SocksReply::failed
                    : bytes[1] != k_connect ? SocksReply::command_unknown
                                            : SocksReply::address_unknown);
    return State::bad;
  }
  if (bytes.size() < begin + length + 2) return State::more;
  const auto port =
      static_cast<uint16_t>(u8(bytes, begin + length) << 8 | u8(bytes, begin + length + 1));
  std::optional<Target> target;
  if (kind == k_name) {
    const std::string name = bytes.substr(begin, length);
    const bool plain = name.find_first_of("[]") == std::string::npos;
    // A name with a colon is an address at best, never a port of its own.
    if (std::optional<Address> address = parse_address(name); address && plain)
      target = Target{address->text(), address, port};
    else if (name.find(':') == std::string::npos)
      target = parse_target(name, port);
  } else {
    const Address address = address_at(bytes, begin, length);
    target = Target{address.text(), address, port};
  }
  bytes.erase(0, begin + length + 2);
  if (!target || port == 0) {
    answer += reply(SocksReply::not_allowed);
    return State::bad;
  }
  target_ = std::move(*target);
  return State::complete;
}

}  // namespace fabric::egress
