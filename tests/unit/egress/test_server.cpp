// SPDX-License-Identifier: Apache-2.0
// The engine from end to end: programs in a network of their own, servers outside on loopback, a
// supervisor that attaches, changes rules and reads reports. Needs root, for the network.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "egress/address.hpp"
#include "tests/unit/egress/hello.hpp"
#include "tests/unit/egress/inside.hpp"
#include "tests/unit/egress/outside.hpp"

using namespace fabric;
using namespace fabric::egress;
using namespace std::literals;

namespace {

constexpr const char* k_here = "127.77.0.1";
const std::string k_hosts =
    "127.77.0.1 echo.test api.test other.test a.wild.test\n169.254.169.254 meta.test\n"
    "# 127.0.0.1 no.test\n";

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("needs root");
  return false;
}

bool refusal_like(Outside& outside, const std::string& kind, const std::string& host,
                  std::string* allow = nullptr) {
  return outside.wait_until("refused", [&](const json::Value& message) {
    if (json::get_string(message, "kind") != kind || json::get_string(message, "host") != host)
      return false;
    if (allow != nullptr) *allow = json::get_string(message, "allow").value_or("");
    return true;
  });
}

// HTTP, as far as tests need: notes what it gets and answers each head.
HostServer::Serve http(HostServer*& self) {
  return [&self](int fd) {
    char buffer[65536];
    ssize_t n = 0;
    while ((n = ::recv(fd, buffer, sizeof buffer, 0)) > 0) {
      const std::string got(buffer, static_cast<size_t>(n));
      self->note(got);
      if (got.find("\r\n\r\n") == std::string::npos) continue;
      if (!write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) return;
    }
  };
}

}  // namespace

TEST_CASE("egress: a program reaches a listed name, and no other") {
  if (!is_root()) return;
  const bool binary = GENERATE(false, true);
  HostServer server(k_here, 0, echo());
  Inside inside;
  Outside outside(k_hosts, binary);
  CHECK(outside.wait("hello")["version"].GetInt() == 1);
  const uint16_t port = server.port();
  outside.attach("s1", inside.new_link(), {"echo.test:" + std::to_string(port) + "+private"});
  inside.run([&] {
    const Inside::Answer answer = Inside::ask("ECHO.test");
    CHECK(answer.code == 0);
    CHECK(answer.address.starts_with("198.18."));
    CHECK(Inside::ask("echo.test", 1, true).address == answer.address);
    CHECK(Inside::ask_v6("echo.test").address.starts_with("fdfa:b21c::"));
    CHECK(Inside::ask("echo.test", 65).code == 0);
    CHECK(Inside::ask("echo.test", 16).code == 5);
    const Fd fd = Inside::connect(answer.address, port);
    REQUIRE(fd);
    CHECK(converse(fd, "hello\n") == "hello\n");
    const std::string big(3 << 20, 'x');
    std::thread writer([&] {
      (void)write_all(fd.get(), big);
      ::shutdown(fd.get(), SHUT_WR);
    });
    CHECK(read_to_end(fd) == big);  // half-closing works both ways
    writer.join();
    CHECK(Inside::ask("unlisted.test").code == 3);
    errno = 0;
    CHECK_FALSE(Inside::connect(answer.address, 22));
    CHECK(errno == ECONNREFUSED);
  });
  std::string allow;
  CHECK(refusal_like(outside, "name", "unlisted.test", &allow));
  CHECK(allow == "unlisted.test");
  uint64_t in = 0, out = 0;
  CHECK(outside.wait_until("usage", [&](const json::Value& message) {
    in += static_cast<uint64_t>(*json::get_int(message, "in"));
    out += static_cast<uint64_t>(*json::get_int(message, "out"));
    return in >= (3 << 20) + 6;
  }));
  CHECK(in == (3 << 20) + 6);
  CHECK(out == (3 << 20) + 6);
}

TEST_CASE("egress: what a name resolves to is judged") {
  if (!is_root()) return;
  HostServer server(k_here, 0, echo());
  Inside inside;
  Outside outside(k_hosts, false);
  const std::string port = std::to_string(server.port());
  outside.attach("s1", inside.new_link(),
                 {"echo.test:" + port, "meta.test:" + port + "+private", "no.such:" + port});
  inside.run([&] {
    for (const char* name : {"echo.test", "meta.test", "no.such"}) {
      const Inside::Answer answer = Inside::ask(name);
      const Fd fd = Inside::connect(answer.address, server.port());
      REQUIRE(fd);
      int error = 0;
      CHECK(read_to_end(fd, &error).empty());
      CHECK(error == ECONNRESET);  // an error, not an empty answer
    }
  });
  std::string allow;
  CHECK(refusal_like(outside, "address", "echo.test", &allow));
  CHECK(allow == "echo.test:" + port + "+private");
  CHECK(refusal_like(outside, "address", "meta.test", &allow));
  CHECK(allow == "169.254.169.254:" + port);
  CHECK(server.connections() == 0);
}

TEST_CASE("egress: TLS must name the host that was allowed") {
  if (!is_root()) return;
  HostServer server("127.77.0.1", 443, echo());
  Inside inside;
  Outside outside(k_hosts, false);
  outside.attach("s1", inside.new_link(), {"api.test+private", "*.wild.test+private"});
  inside.run([&] {
    const std::string at = Inside::ask("api.test").address;
    const auto say = [&](const std::string& address, const std::string& bytes) {
      const Fd fd = Inside::connect(address, 443);
      return converse(fd, bytes);
    };
    const std::string good = make_hello("Api.test");
    CHECK(say(at, good) == good);
    CHECK(say(at, make_hello("")) == make_hello(""));
    CHECK(say(at, make_hello("other.test")) == "\x15\3\3\0\2\2\x31"s);
    CHECK(say(at, in_records(hello_message(server_name("other.test")), 3)) ==
          "\x15\3\3\0\2\2\x31"s);
    const std::string wild = Inside::ask("a.wild.test").address;
    CHECK(say(wild, make_hello("a.wild.test")) == make_hello("a.wild.test"));
    CHECK(say(wild, make_hello("b.wild.test")) == "\x15\3\3\0\2\2\x31"s);
    CHECK(say(wild, make_hello("")) == "\x15\3\3\0\2\2\x31"s);
    CHECK(say(at, "\0raw bytes"s) == "");
    // Byte by byte.
    const Fd slow = Inside::connect(at, 443);
    for (size_t i = 0; i + 1 < good.size(); ++i) ::send(slow.get(), &good[i], 1, 0);
    CHECK(converse(slow, good.substr(good.size() - 1)) == good);
    CHECK(Inside::ask("wild.test").code == 3);
    CHECK(Inside::ask(std::string(63, 'x') + ".y.wild.test").code == 3);
  });
  CHECK(refusal_like(outside, "sni", "api.test"));
  CHECK(refusal_like(outside, "sni", "a.wild.test"));
}

TEST_CASE("egress: every HTTP request must be for the host that was allowed") {
  if (!is_root()) return;
  HostServer* self = nullptr;
  HostServer server("127.77.0.1", 80, http(self));
  self = &server;
  Inside inside;
  Outside outside(k_hosts, false);
  outside.attach("s1", inside.new_link(), {"api.test+private"});
  inside.run([&] {
    const std::string at = Inside::ask("api.test").address;
    const Fd fd = Inside::connect(at, 80);
    CHECK(converse(fd, "GET /1 HTTP/1.1\r\nHost: api.test\r\n\r\n").ends_with("ok"));
    CHECK(converse(fd, "GET /2 HTTP/1.1\r\nHost: api.test:80\r\n\r\n").ends_with("ok"));
    int error = 0;
    ::send(fd.get(), "GET /3 HTTP/1.1\r\nHost: other.test\r\n\r\n", 37, 0);
    CHECK(read_to_end(fd, &error).empty());
    CHECK(error == ECONNRESET);
    for (const char* request :
         {"GET /4 HTTP/1.1\r\nHost: other.test\r\n\r\n",
          "GET http://other.test/4 HTTP/1.1\r\nHost: api.test\r\n\r\n",
          "GET /4 HTTP/1.1\r\nHost: api.test\r\nHost: other.test\r\n\r\n",
          "CONNECT other.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n",
          "POST /4 HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\nTransfer-Encoding: "
          "chunked\r\n\r\n0\r\n\r\n"}) {
      const Fd one = Inside::connect(at, 80);
      ::send(one.get(), request, strlen(request), 0);
      const std::string answer = read_to_end(one, &error);
      CHECK(answer.starts_with("HTTP/1.1 403 "));
      CHECK(answer.find("X-Fabric-Denied: ") != std::string::npos);
      CHECK(error == 0);
    }
  });
  CHECK(server.noted().find("other") == std::string::npos);
  CHECK(server.noted().find("/4") == std::string::npos);
  CHECK(server.noted().find("/2") != std::string::npos);
  CHECK(refusal_like(outside, "host_header", "api.test"));
}

TEST_CASE("egress: proxies for programs that know them") {
  if (!is_root()) return;
  const bool binary = GENERATE(false, true);
  HostServer echoes(k_here, 0, echo());
  HostServer* self = nullptr;
  HostServer web(k_here, 0, http(self));
  self = &web;
  Inside inside;
  Outside outside(k_hosts, binary);
  const std::string port = std::to_string(echoes.port()), web_port = std::to_string(web.port());
  outside.attach("s1", inside.new_link(),
                 {"echo.test:" + port + "+private", "api.test:" + web_port + "+private",
                  "127.77.0.0/16:" + port});
  inside.run([&] {
    const auto proxy = [](const std::string& request) {
      const Fd fd = Inside::connect("127.0.0.1", 3128);
      return converse(fd, request);
    };
    Fd fd = Inside::connect("127.0.0.1", 3128);
    CHECK(converse(fd, "CONNECT echo.test:" + port + " HTTP/1.1\r\nHost: x\r\n\r\n")
              .starts_with("HTTP/1.1 200 "));
    CHECK(converse(fd, "abc\n") == "abc\n");
    fd = Inside::connect("127.0.0.1", 3128);
    CHECK(converse(fd, "CONNECT 127.77.0.1:" + port + " HTTP/1.0\r\n\r\n")
              .starts_with("HTTP/1.1 200 "));
    // Behind CONNECT the name must agree as well.
    fd = Inside::connect("127.0.0.1", 3128);
    converse(fd, "CONNECT echo.test:" + port + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(converse(fd, make_hello("other.test")) == "\x15\3\3\0\2\2\x31"s);
    for (const std::string& target : {"other.test:"s + port, "127.0.0.1:22"s, "echo.test:22"s,
                                      "[::1]:22"s, "169.254.169.254:80"s})
      CHECK(
          proxy("CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 403 "));
    for (const std::string& target :
         {"127.1:22"s, "2130706433:22"s, "0x7f000001:22"s, "a@b:22"s, "echo.test"s, ":22"s})
      CHECK(
          proxy("CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 400 "));
    CHECK(proxy("GET http://api.test:" + web_port +
                "/path?q HTTP/1.1\r\nHost: other.test\r\nProxy-Connection: keep-alive\r\n\r\n")
              .ends_with("ok"));
    CHECK(proxy("GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n")
              .starts_with("HTTP/1.1 403 "));
    CHECK(proxy("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").starts_with("HTTP/1.1 400 "));

    const auto socks = [&](const std::string& address) {
      Fd one = Inside::connect("127.0.0.1", 1080);
      CHECK(converse(one, "\5\1\0"s) == "\5\0"s);
      const std::string reply =
          converse(one, "\5\1\0"s + address + static_cast<char>(echoes.port() >> 8) +
                            static_cast<char>(echoes.port()));
      CHECK((reply.size() != 10 || reply[1] != 0 || converse(one, "xyz\n") == "xyz\n"));
      return reply.size() == 10 ? static_cast<int>(reply[1]) : -1;
    };
    CHECK(socks("\3\x09"s + "echo.test") == 0);
    CHECK(socks("\1\x7f\x4d\0\1"s) == 0);
    CHECK(socks("\1\x7f\0\0\1"s) == 2);
    CHECK(socks("\3\x0aother.test"s) == 2);
    CHECK(socks("\4"s + std::string(15, '\0') + "\1") == 2);
  });
  CHECK(web.noted().starts_with("GET /path?q HTTP/1.1\r\nHost: api.test:" + web_port));
  CHECK(web.noted().find("Proxy-Connection") == std::string::npos);
  CHECK(refusal_like(outside, "connect", "other.test"));
}

TEST_CASE("egress: addresses that rules name have listeners") {
  if (!is_root()) return;
  // Nobody is at 10.99.0.7 outside: what counts is that the way there is tried.
  Inside inside;
  Outside outside(k_hosts, false);
  outside.attach("s1", inside.new_link(), {"10.99.0.0/16:7777", "10.99.1.1:7778"});
  inside.run([&] {
    // Made without being asked for, so it may take a moment.
    Fd fd;
    for (int i = 0; i < 2000 && !(fd = Inside::connect("10.99.1.1", 7778)); ++i) ::usleep(5000);
    CHECK(fd);
    CHECK(Inside::connect("10.99.0.7", 7777));
    const Fd loopback = Inside::connect("127.0.0.1", 7777);
    int error = 0;
    if (loopback) CHECK((read_to_end(loopback, &error).empty() && error == ECONNRESET));
  });
}

TEST_CASE("egress: rules change while connections are open") {
  if (!is_root()) return;
  HostServer server(k_here, 0, echo());
  Inside inside;
  Outside outside(k_hosts, false);
  const std::string port = std::to_string(server.port());
  const std::string echo_rule = "echo.test:" + port + "+private";
  outside.attach("s1", inside.new_link(), {echo_rule});
  inside.run([&] {
    const std::string at = Inside::ask("echo.test").address;
    const Fd fd = Inside::connect(at, server.port());
    CHECK(converse(fd, "1\n") == "1\n");
    outside.rules("s1", {echo_rule, "other.test:" + port + "+private"});
    Inside::Answer other;
    for (int i = 0; i < 2000 && (other = Inside::ask("other.test")).code != 0; ++i) ::usleep(5000);
    CHECK(converse(Inside::connect(other.address, server.port()), "2\n") == "2\n");
    CHECK(converse(fd, "3\n") == "3\n");  // what is still allowed goes on
    outside.rules("s1", {"nonsense rule"});
    outside.rules("s1", {"other.test:" + port + "+private"});
    int error = 0;
    CHECK(read_to_end(fd, &error).empty());
    CHECK(error == ECONNRESET);
    CHECK(Inside::ask("echo.test").code == 3);
  });
  for (const auto& [id, packet] : inside.listeners())
    CHECK(std::string_view(packet.note) != "name echo.test");
}

TEST_CASE("egress: a new process takes over what listens, a new supervisor gets the reports") {
  if (!is_root()) return;
  HostServer server(k_here, 0, echo());
  Inside inside;
  const std::string rule = "echo.test:" + std::to_string(server.port()) + "+private";
  std::string at;
  {
    Outside outside(k_hosts, false);
    outside.attach("s1", inside.new_link(), {rule});
    inside.run([&] {
      at = Inside::ask("echo.test").address;
      CHECK(converse(Inside::connect(at, server.port()), "1\n") == "1\n");
      CHECK(Inside::ask("bad.test").code == 3);
    });
    int64_t sequence = 0;
    CHECK(outside.wait_until("refused", [&](const json::Value& message) {
      sequence = *json::get_int(message, "sequence");
      return true;
    }));
    CHECK(outside.wait("hello")["sandboxes"].Empty());
    outside.connect();
    const json::Document hello = outside.wait("hello");
    REQUIRE(hello["sandboxes"].Size() == 1);
    CHECK(hello["sandboxes"][0]["sandbox"] == "s1");
    CHECK(outside.wait("refused")["sequence"].GetInt64() == sequence);
    outside.send(R"({"type":"ack","sequence":)" + std::to_string(sequence) + "}");
    inside.run([&] { Inside::ask("worse.test"); });
    outside.connect();
    CHECK(outside.wait("refused")["host"] == "worse.test");
  }
  Outside outside(k_hosts, false);
  inside.run([&] {
    // Held by the backlog until there is somebody again.
    const Fd early = Inside::connect(at, server.port());
    REQUIRE(early);
    outside.attach("s1", inside.new_link(), {rule});
    CHECK(converse(early, "2\n") == "2\n");
    CHECK(Inside::ask("echo.test").address == at);
  });
}

TEST_CASE("egress: limits of one sandbox") {
  if (!is_root()) return;
  HostServer server(k_here, 0, echo());
  Inside inside;
  Outside outside(k_hosts, false);
  const std::string rule = "echo.test:" + std::to_string(server.port()) + "+private";
  outside.attach("s1", inside.new_link(), {rule}, R"("connections":3,"rate":1000000)");
  inside.run([&] {
    const std::string at = Inside::ask("echo.test").address;
    std::vector<Fd> open;
    for (int i = 0; i < 3; ++i) {
      open.push_back(Inside::connect(at, server.port()));
      CHECK(converse(open.back(), "x\n") == "x\n");
    }
    int error = 0;
    CHECK(read_to_end(Inside::connect(at, server.port()), &error).empty());
    CHECK(error == ECONNRESET);
    const auto begin = std::chrono::steady_clock::now();
    const std::string much(1000000, 'y');
    std::thread writer([&] {
      (void)write_all(open[0].get(), much);
      ::shutdown(open[0].get(), SHUT_WR);
    });
    CHECK(read_to_end(open[0]) == much);
    writer.join();
    // Two million bytes both ways, one of them saved up.
    CHECK(std::chrono::steady_clock::now() - begin > 500ms);
  });
  CHECK(refusal_like(outside, "rate", ""));
}

TEST_CASE("egress: a port of the host leads inside") {
  if (!is_root()) return;
  Inside inside;
  Outside outside(k_hosts, false);
  HostServer probe("127.77.0.2", 0, echo());  // for a free port
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::listen(listener.get(), 8);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  uint16_t port = 0;
  address_of(storage, &port);
  outside.attach("s1", inside.new_link(), {}, R"("publish":[{"rule":"8080:8081","fd":1}])",
                 {listener.get()});
  const Fd early = Inside::connect("127.0.0.1", port);
  int error = 0;
  CHECK(read_to_end(early, &error).empty());  // nobody listens inside
  CHECK(error == ECONNRESET);
  std::unique_ptr<HostServer> server;
  inside.run([&] { server = std::make_unique<HostServer>("127.0.0.1", 8081, echo()); });
  CHECK(converse(Inside::connect("127.0.0.1", port), "in\n") == "in\n");
}

TEST_CASE("egress: descriptors that the init made up end its link") {
  if (!is_root()) return;
  HostServer victim("127.77.0.3", 0, echo());
  const int which = GENERATE(0, 1, 2);
  Inside inside, other;
  Outside outside(k_hosts, false);
  outside.attach("s1", inside.new_link(), {"echo.test:4444+private"});
  Fd forged;
  if (which == 0) forged.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (which == 1) forged.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (which == 2)  // the right address, in another network
    other.run([&] {
      forged.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const SocketAddress at = socket_address(*parse_address("198.18.1.1"), 4444);
      CHECK(::bind(forged.get(), at.get(), at.size) == 0);
      CHECK(::listen(forged.get(), 8) == 0);
    });
  inside.forge(std::move(forged));
  inside.run([&] { CHECK(Inside::ask("echo.test", 1, true).code != 0); });
  CHECK(outside.wait("hello")["sandboxes"].Empty());
  outside.connect();
  CHECK(outside.wait("hello")["sandboxes"].Empty());
}
