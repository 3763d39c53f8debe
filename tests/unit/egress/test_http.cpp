// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "egress/http_requests.hpp"

using namespace fabric::egress;
using namespace std::literals;

namespace {

HttpState state_of(std::string_view text) {
  HttpHead head;
  std::string why;
  const HttpState state = parse_http_head(text, head, why);
  CHECK((state == HttpState::bad) == (!why.empty() && state != HttpState::more));
  return state;
}

// Feeds in pieces of every size; what goes on must be the same each time.
bool feed_all(std::string_view bytes, std::string& out, std::string host = "a") {
  bool good = true;
  for (size_t piece = 1; piece <= bytes.size(); piece = piece < 5 ? piece + 1 : piece * 3) {
    std::string passed, why;
    HttpRequests requests([&](HttpHead& head) -> std::optional<std::string> {
      return head.host == host ? std::optional(head.text()) : std::nullopt;
    });
    bool ok = true;
    for (size_t at = 0; ok && at < bytes.size(); at += piece)
      ok = requests.feed(bytes.substr(at, piece), passed, why);
    if (piece > 1) CHECK(ok == good);
    if (piece > 1 && ok) CHECK(passed == out);
    good = ok;
    out = passed;
  }
  return good;
}

}  // namespace

TEST_CASE("heads of requests") {
  HttpHead head;
  std::string why;
  CHECK(parse_http_head("GET /x HTTP/1.1\r\nHost: a:80\r\nX:  y \r\n\r\nrest", head, why) ==
        HttpState::complete);
  CHECK(head.host == "a:80");
  CHECK(*head.find("x") == "y");
  CHECK(head.size == 39);
  CHECK(state_of("GET / HTTP/1.1\r\nHost: a\r\n") == HttpState::more);
  for (const char* text :
       {"GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1,1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"})
    CHECK(state_of(text) == HttpState::bad);
  CHECK(state_of("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"sv) == HttpState::bad);
  CHECK(state_of(std::string(k_max_http_head, 'a')) == HttpState::bad);
}

TEST_CASE("every request of a connection is seen") {
  std::string out;
  const std::string one = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  const std::string two =
      "PUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\nT: "
      "x\r\n\r\n";
  const std::string other = "GET / HTTP/1.1\r\nHost: b\r\n\r\n";
  CHECK(feed_all(one + two + one, out));
  CHECK(out == one + two + one);
  CHECK_FALSE(feed_all(one + two + other, out));
  CHECK_FALSE(feed_all(two + " " + one, out));
  const std::string chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"5;x=\n\r\nabcde\r\n0\r\n\r\n", "-1\r\n", "\r\n", "5\nabcde",
                           "3\r\nabcde\r\n", "ffffffffffffffff\r\n", "0x5\r\nabcde\r\n"})
    CHECK_FALSE(feed_all(chunked + body, out));
  CHECK(feed_all("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n", out));
  CHECK(out == "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST_CASE("nothing goes on before an upgrade is answered") {
  std::string out, why;
  HttpRequests requests(
      [](HttpHead& head) { return head.host == "a" ? std::optional(head.text()) : std::nullopt; });
  const std::string ask = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
  CHECK(requests.feed(ask + "GET / HTTP/1.1\r\nHost: b\r\n\r\n", out, why));
  CHECK(out == ask);
  CHECK(requests.waits_for_answer());
  SECTION("the server declined") {
    CHECK_FALSE(requests.answered(false, out, why));
    CHECK(out == ask);
  }
  SECTION("the server switched") {
    CHECK(requests.answered(true, out, why));
    CHECK(requests.tunnel());
    CHECK(out.ends_with("Host: b\r\n\r\n"));
  }
}

TEST_CASE("what a program speaks") {
  CHECK(recognise("") == Speech::more);
  CHECK(recognise("\x16") == Speech::more);
  CHECK(recognise("\x16\3\1") == Speech::tls);
  CHECK(recognise("\x16\2\1") == Speech::other);
  CHECK(recognise("G") == Speech::more);
  CHECK(recognise("GET / HTTP/1.1") == Speech::http);
  CHECK(recognise("\r\n get / http/1.0") == Speech::http);
  CHECK(recognise("PRI * HTTP/2.0\r\n") == Speech::http);
  CHECK(recognise("NICK foo\r\n") == Speech::other);
  CHECK(recognise("SSH-2.0-OpenSSH\r\n") == Speech::other);
  CHECK(recognise("AMQP\0\0\x09\1"sv) == Speech::other);
  CHECK(recognise("*1\r\n$4\r\nPING\r\n") == Speech::other);
}
