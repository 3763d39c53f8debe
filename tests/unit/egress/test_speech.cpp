// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "egress/speech.hpp"
#include "tests/unit/egress/hello.hpp"

using namespace fabric::egress;
using namespace std::literals;
using State = Speaker::State;

TEST_CASE("on other ports a line goes on at once, and is still held to the host") {
  const Target target{"a.b", std::nullopt, 8080};
  for (const std::string& host : {"a.b:8080"s, "c.d:8080"s}) {
    const std::string request = "get /x HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    Speaker speaker(target, true);
    std::string out;
    State state = State::listening;
    for (const char c : request) {
      state = speaker.feed({&c, 1}, out);
      if (c == 'x') CHECK(out == "get /x");
    }
    CHECK(state == (host[0] == 'a' ? State::filtered : State::refused));
    CHECK(out == (host[0] == 'a' ? request : "get /x HTTP"));
  }
  Speaker speaker(target, true);
  std::string out;
  CHECK(speaker.feed("e", out) == State::listening);
  CHECK(out == "e");
  CHECK(speaker.feed("x\n", out) == State::passes);
  CHECK(out == "ex\n");
  Speaker tls(target, true);
  std::string hello = make_hello("c.d");
  out.clear();
  tls.feed(hello.substr(0, 1), out);
  CHECK(tls.feed(hello.substr(1), out) == State::refused);
  CHECK(out == "\x16");
}

TEST_CASE("on web ports nothing goes on before it is known") {
  Speaker speaker({"a.b", std::nullopt, 80}, true);
  std::string out;
  CHECK(speaker.feed("GET / HT", out) == State::listening);
  CHECK(out.empty());
  CHECK(speaker.feed("TP/1.0\r\nHost: a.b\r\n\r\n", out) == State::filtered);
  CHECK(out == "GET / HTTP/1.0\r\nHost: a.b\r\n\r\n");
  Speaker ended({"a.b", std::nullopt, 80}, true);
  ended.feed("GET", out);
  CHECK(ended.ended(out) == State::refused);
}
