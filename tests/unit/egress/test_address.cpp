// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "egress/address.hpp"
#include "egress/target.hpp"

using namespace fabric::egress;

namespace {

AddressClass class_of(std::string_view text) {
  const std::optional<Address> address = parse_address(text);
  REQUIRE(address);
  return classify(*address);
}

}  // namespace

TEST_CASE("what is not public is known in every form") {
  for (const char* text : {"1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111",
                           "64:ff9b::101:101", "169.253.1.1"})
    CHECK(class_of(text) == AddressClass::is_public);
  for (const char* text : {"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
                           "198.18.0.1", "fd12::1", "fc00::1", "2001:db8::1", "64:ff9b::a00:1",
                           "2002:a00:1::1", "2002:101:101::1", "::10.0.0.1"})
    CHECK(class_of(text) == AddressClass::is_private);
  for (const char* text : {"127.0.0.1", "127.255.1.1", "::1", "64:ff9b::7f00:1", "2002:7f00:1::",
                           "2001:0:0:0:0:0:80ff:fffe", "::ffff:127.0.0.1", "::127.0.0.1"})
    CHECK(class_of(text) == AddressClass::loopback);
  for (const char* text :
       {"169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "169.254.170.2",
        "192.0.0.192", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe"})
    CHECK(class_of(text) == AddressClass::metadata);
  for (const char* text : {"169.254.1.1", "fe80::1", "febf::1"})
    CHECK(class_of(text) == AddressClass::link_local);
  for (const char* text : {"0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "100::1"})
    CHECK(class_of(text) == AddressClass::reserved);
  const Address own = *parse_address("93.184.216.34");
  CHECK(classify(own, {&own, 1}) == AddressClass::own);
  CHECK(classify(*parse_address("64:ff9b::5db8:d822"), {&own, 1}) == AddressClass::own);
}

TEST_CASE("an address is only what is written out") {
  for (const char* text : {"127.1", "0x7f000001", "2130706433", "0177.0.0.1", "1.2.3.4.5", "",
                           "1.2.3.4 ", "[1.2.3.4]", "::1%lo", "01.2.3.4"})
    CHECK_FALSE(parse_address(text));
  CHECK(parse_address("::ffff:1.2.3.4") == parse_address("1.2.3.4"));
  CHECK(parse_address("[::1]")->text() == "::1");
  CHECK_FALSE(parse_address(std::string_view("1.2.3.4\0x", 9)));
}

TEST_CASE("where to") {
  CHECK(parse_target("API.Example.COM.", 80) == Target{"api.example.com", std::nullopt, 80});
  CHECK(parse_target("a:8080", 80)->port == 8080);
  CHECK(parse_target("[::1]:5", 80)->name == "::1");
  CHECK(parse_target("1.2.3.4:443", 80)->address);
  for (const char* text :
       {"", "a:", "a:0", "a:65536", "a:1x", "[::1", "::1", "127.1", "0x7f000001", "2130706433",
        "0177.1", "a b", "allowed@evil", "a%00b", "ex\xc3\xa4mple", "[a]", "a..b", "-a"})
    CHECK_FALSE(parse_target(text, 80));
}
