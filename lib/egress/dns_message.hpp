// SPDX-License-Identifier: Apache-2.0
// DNS messages (RFC 1035) as far as the resolver inside a sandbox needs them: a query with one
// question in, an answer of addresses or a refusal with its reason (EDE, RFC 8914) out. Queries are
// hostile; nothing of one is ever sent anywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "egress/address.hpp"

namespace fabric::egress {

enum class DnsType : uint16_t { a = 1, aaaa = 28, svcb = 64, https = 65 };
enum class DnsCode : uint8_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  no_such_name = 3,
  not_implemented = 4,
  refused = 5,
};
constexpr uint16_t k_ede_blocked = 15, k_ede_filtered = 17;

struct DnsQuery {
  uint16_t id = 0;
  bool recursion_desired = false;
  bool edns = false;
  DnsCode bad = DnsCode::no_error;  // what is wrong with it, when it can be answered at all
  std::string name;                 // lower case, without the last dot; "" is the root
  uint16_t type = 0, dns_class = 0;
  std::string_view question;  // as it came, into the message
};
// nullopt: not a query that could be answered (too short, an answer itself).
std::optional<DnsQuery> parse_dns_query(std::string_view message);

struct DnsAnswer {
  DnsCode code = DnsCode::no_error;
  std::vector<Address> addresses;  // of the family that was asked for
  uint32_t ttl = 0;
  uint16_t extended_error = 0;  // only sent to those who know EDNS
  std::string extended_text;
};
std::string make_dns_answer(const DnsQuery& query, const DnsAnswer& answer);

}  // namespace fabric::egress
