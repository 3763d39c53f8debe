// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "egress/rule_set.hpp"

using namespace fabric::egress;

namespace {

RuleSet rules(const std::vector<std::string>& texts) {
  auto set = RuleSet::parse(texts);
  REQUIRE(set);
  return std::move(*set);
}
Address at(std::string_view text) { return *parse_address(text); }

}  // namespace

TEST_CASE("names and ports of rules") {
  const RuleSet set = rules({"api.x.org", "*.y.org:443,8443", "!bad.y.org", "db.z:5432"});
  CHECK(set.name("api.x.org", 443).allowed);
  CHECK(set.name("api.x.org", 443).exact);
  CHECK_FALSE(set.name("api.x.org", 22).allowed);
  CHECK(set.name("api.x.org", 22).allow == "api.x.org:22");
  CHECK(set.name("a.y.org", 8443).allowed);
  CHECK_FALSE(set.name("a.y.org", 8443).exact);
  CHECK(set.name("a.b.y.org", 443).allowed);
  CHECK_FALSE(set.name("y.org", 443).allowed);
  CHECK_FALSE(set.name("evily.org", 443).allowed);
  CHECK_FALSE(set.name("api.x.org.evil", 443).allowed);
  CHECK_FALSE(set.name("bad.y.org", 443).allowed);
  CHECK(set.name("bad.y.org", 443).rule == "!bad.y.org");
  CHECK(set.name("bad.y.org", 443).allow.empty());
  CHECK(set.any_port_of("db.z").allowed);
  CHECK_FALSE(set.any_port_of("bad.y.org").allowed);
  CHECK(set.any_port_of("other").allow == "other");
  CHECK(set.ports_of("a.y.org") == std::vector<uint16_t>{443, 8443});
  CHECK(set.wildcard_base("a.b.y.org") == "y.org");
}

TEST_CASE("the rule that is offered lifts what was refused, and no more") {
  for (uint16_t port : {uint16_t{80}, uint16_t{22}}) {
    const Decision refused = rules({}).name("a.b", port);
    const RuleSet lifted = rules({refused.allow});
    CHECK(lifted.name("a.b", port).allowed);
    CHECK_FALSE(lifted.name("a.b", 23).allowed);
    CHECK_FALSE(lifted.name("c.a.b", port).allowed);
    for (const char* text : {"1.1.1.1", "2606::1", "127.0.0.1", "169.254.169.254"}) {
      const Decision literal = rules({"*"}).literal(at(text), port);
      if (literal.allowed) continue;
      CHECK(rules({literal.allow}).literal(at(text), port).allowed);
      CHECK_FALSE(rules({literal.allow}).literal(at("1.1.1.2"), port).allowed);
    }
    const RuleSet set = rules({"a.b:*"});
    const Decision by_name = set.name("a.b", port);
    const Decision near =
        set.resolved("a.b", by_name, at("10.0.0.1"), port, AddressClass::is_private);
    REQUIRE_FALSE(near.allowed);
    const RuleSet more = rules({"a.b:*", near.allow});
    CHECK(
        more.resolved("a.b", more.name("a.b", port), at("10.0.0.1"), port, AddressClass::is_private)
            .allowed);
  }
}

TEST_CASE("addresses that names resolve to") {
  const RuleSet set = rules({"a.b", "p.b+private", "10.9.0.0/16:443", "!10.9.9.0/24", "c.b"});
  const auto resolved = [&](const char* name, const char* address) {
    return set.resolved(name, set.name(name, 443), at(address), 443, classify(at(address)));
  };
  CHECK(resolved("a.b", "1.1.1.1").allowed);
  CHECK_FALSE(resolved("a.b", "10.1.1.1").allowed);
  CHECK(resolved("a.b", "10.1.1.1").allow == "a.b+private");
  CHECK(resolved("a.b", "10.9.1.1").allowed);
  CHECK_FALSE(resolved("p.b", "10.9.9.1").allowed);
  CHECK(resolved("p.b", "10.9.9.1").rule == "!10.9.9.0/24");
  CHECK(resolved("p.b", "127.0.0.1").allowed);
  CHECK_FALSE(resolved("p.b", "169.254.169.254").allowed);
  CHECK(resolved("p.b", "169.254.169.254").allow == "169.254.169.254");
  CHECK_FALSE(resolved("p.b", "fe80::1").allowed);
  CHECK_FALSE(resolved("p.b", "224.0.0.1").allowed);
}

TEST_CASE("addresses that programs give") {
  const RuleSet set = rules({"*:443", "10.0.0.0/8:5432", "!1.2.3.4"});
  CHECK(set.literal(at("1.1.1.1"), 443).allowed);
  CHECK_FALSE(set.literal(at("1.1.1.1"), 80).allowed);
  CHECK_FALSE(set.literal(at("1.2.3.4"), 443).allowed);
  CHECK_FALSE(set.literal(at("10.0.0.1"), 443).allowed);
  CHECK(set.literal(at("10.0.0.1"), 5432).allowed);
  CHECK_FALSE(set.literal(at("127.0.0.1"), 443).allowed);
  CHECK_FALSE(rules({"*+private"}).literal(at("169.254.169.254"), 80).allowed);
  CHECK(rules({"*+private"}).literal(at("192.168.0.1"), 80).allowed);
  CHECK(rules({"169.254.169.254"}).literal(at("169.254.169.254"), 80).allowed);
  CHECK_FALSE(rules({"0.0.0.0/0:*"}).literal(at("224.0.0.1"), 80).allowed);
}
