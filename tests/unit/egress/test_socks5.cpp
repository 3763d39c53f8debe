// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstring>

#include "egress/socks5.hpp"

using namespace fabric::egress;
using namespace std::literals;

namespace {

// Byte by byte.
Socks5::State feed(std::string_view bytes, std::string& answer, Target& target) {
  Socks5 socks;
  std::string held;
  Socks5::State state = Socks5::State::more;
  for (const char c : bytes) {
    REQUIRE(state == Socks5::State::more);
    held.push_back(c);
    state = socks.feed(held, answer);
  }
  target = socks.target();
  return state;
}

}  // namespace

TEST_CASE("requests of all address types") {
  std::string answer;
  Target target;
  CHECK(feed("\5\1\0\5\1\0\3\5Api.x\1\xbb"s, answer, target) == Socks5::State::complete);
  CHECK(target == Target{"api.x", std::nullopt, 443});
  CHECK(answer == "\5\0"s);
  CHECK(feed("\5\2\2\0\5\1\0\1\1\2\3\4\0\x50"s, answer, target) == Socks5::State::complete);
  CHECK(target.name == "1.2.3.4");
  CHECK(feed("\5\1\0\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50"s, answer, target) ==
        Socks5::State::complete);
  CHECK(target.name == "::1");
  CHECK(feed("\5\1\0\5\1\0\3\x09"
             "127.0.0.1\0\x50"s,
             answer, target) == Socks5::State::complete);
  CHECK(target.address);
}

TEST_CASE("what is not served gets its own answer") {
  const auto refused = [](std::string_view bytes) {
    std::string answer;
    Target target;
    CHECK(feed(bytes, answer, target) == Socks5::State::bad);
    return answer;
  };
  CHECK(refused("\4"s) == "\0\x5b\0\0\0\0\0\0"s);
  CHECK(refused("\5\1\2"s) == "\5\xff"s);
  CHECK(refused("\5\1\0\5\2\0\1\1"s).substr(2) == Socks5::reply(SocksReply::command_unknown));
  CHECK(refused("\5\1\0\5\3\0\1\1"s).substr(2) == Socks5::reply(SocksReply::command_unknown));
  CHECK(refused("\5\1\0\5\1\0\2\1"s).substr(2) == Socks5::reply(SocksReply::address_unknown));
  CHECK(refused("\5\1\0\5\1\0\3\0"s).substr(2) == Socks5::reply(SocksReply::address_unknown));
  for (const char* name : {"127.1", "a:80", "a@b", "2130706433", "[::1]"}) {
    const std::string bytes = "\5\1\0\5\1\0\3"s + static_cast<char>(std::strlen(name)) + name;
    CHECK(refused(bytes + "\0\x50"s).substr(2) == Socks5::reply(SocksReply::not_allowed));
  }
  CHECK(refused("\5\1\0\5\1\0\3\1a\0\0"s).substr(2) == Socks5::reply(SocksReply::not_allowed));
}
