// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "egress/client_hello.hpp"
#include "tests/unit/egress/hello.hpp"

using namespace fabric::egress;
using namespace std::literals;
using State = ClientHello::State;

TEST_CASE("the server name of a hello, whole or in pieces") {
  const std::string hello = make_hello("api.example.com");
  const ClientHello parsed = parse_client_hello(hello);
  CHECK(parsed.state == State::complete);
  CHECK(parsed.server_name == "api.example.com");
  for (size_t n = 1; n < hello.size(); ++n)
    CHECK(parse_client_hello(hello.substr(0, n)).state == State::more);
  CHECK_FALSE(parse_client_hello(make_hello("")).named);
  CHECK(parse_client_hello(make_hello("")).state == State::complete);
  const std::string split = in_records(hello_message(server_name("api.example.com")), 7);
  CHECK(parse_client_hello(split).server_name == "api.example.com");
  CHECK(parse_client_hello(split.substr(0, split.size() - 1)).state == State::more);
}

TEST_CASE("hellos that two readers could read differently") {
  CHECK(parse_client_hello("\x16\2\0\0\1a"sv).state == State::bad);
  CHECK(parse_client_hello("\x16\3\1\0\0"sv).state == State::bad);
  CHECK(parse_client_hello("\x16\3\1\x7f\xff\1"sv).state == State::bad);
  CHECK(parse_client_hello("\x16\3\1\0\1\2"sv).state == State::bad);
  const std::string twice = server_name("a.b") + server_name("c.d");
  CHECK(parse_client_hello(in_records(hello_message(twice), 9999)).state == State::bad);
  const std::string two_names = "\0\0\0\x0e\0\x0c\0\0\3a.b\0\0\3c.d"s;
  CHECK(parse_client_hello(in_records(hello_message(two_names), 9999)).state == State::bad);
  // A record of another kind between the two halves.
  std::string mixed = in_records(hello_message(server_name("a.b")), 20);
  mixed.insert(25, "\x15\3\3\0\2\1\0"s);
  CHECK(parse_client_hello(mixed).state == State::bad);
  CHECK(parse_client_hello(in_records("\1\0\xff\xff" + std::string(17000, 'x'), 16000)).state ==
        State::bad);
}
