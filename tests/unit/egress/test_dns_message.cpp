// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "egress/dns_message.hpp"

using namespace fabric::egress;
using namespace std::literals;

namespace {

std::string query(const std::string& labels, uint8_t type, const std::string& rest = "") {
  return "\x12\x34\x01\0\0\1\0\0\0\0\0"s + (rest.empty() ? "\0"s : "\1"s) + labels + "\0\0"s +
         std::string(1, static_cast<char>(type)) + "\0\1"s + rest;
}
const std::string k_opt = "\0\0\x29\x04\xd0\0\0\0\0\0\0"s;

}  // namespace

TEST_CASE("a query and its answer") {
  const std::string message = query("\3Api\1x", 1, k_opt);
  const auto parsed = parse_dns_query(message);
  REQUIRE(parsed);
  CHECK(parsed->bad == DnsCode::no_error);
  CHECK(parsed->name == "api.x");
  CHECK(parsed->edns);
  CHECK(parsed->type == 1);
  const std::string answer = make_dns_answer(
      *parsed,
      {DnsCode::no_error, {*parse_address("198.18.1.7"), *parse_address("::5")}, 60, 0, ""});
  CHECK(answer ==
        "\x12\x34\x81\x80\0\1\0\1\0\0\0\1\3Api\1x\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"s
        "\xc6\x12\1\7\0\0\x29\x04\xd0\0\0\0\0\0\0"s);
  const std::string refusal =
      make_dns_answer(*parsed, {DnsCode::no_such_name, {}, 0, k_ede_filtered, "no rule"});
  CHECK(refusal.ends_with("\0\x0d\0\x0f\0\x09\0\x11no rule"s));
  CHECK((refusal[3] & 0xf) == 3);
}

TEST_CASE("what is no query") {
  CHECK_FALSE(parse_dns_query(""));
  CHECK_FALSE(parse_dns_query("short"));
  CHECK_FALSE(parse_dns_query("\0\0\x81\0\0\1\0\0\0\0\0\0\0\0\1\0\1"s));
  const auto bad = [](const std::string& message) { return parse_dns_query(message)->bad; };
  CHECK(bad(query("\3ab", 1)) == DnsCode::format_error);
  CHECK(bad(query("\xc0\x0c", 1)) == DnsCode::format_error);
  CHECK(bad(query("\3a.b", 1)) == DnsCode::format_error);
  CHECK(bad(query("\2a\0"s, 1)) == DnsCode::format_error);
  CHECK(bad(query("\1a", 1, "\0\0\x29"s)) == DnsCode::format_error);
  CHECK(bad("\0\0\0\0\0\2\0\0\0\0\0\0\0\0\1\0\1"s) == DnsCode::format_error);
  CHECK(bad("\0\0\x28\0\0\1\0\0\0\0\0\0\0\0\1\0\1"s) == DnsCode::not_implemented);
  std::string longest;
  for (int i = 0; i < 5; ++i) longest += "\x3f" + std::string(63, 'a');
  CHECK(bad(query(longest, 1)) == DnsCode::format_error);
}
