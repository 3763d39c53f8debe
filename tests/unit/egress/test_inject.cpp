// SPDX-License-Identifier: Apache-2.0
// Injections: a key that programs inside use and never see.
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>

#include "egress/redactor.hpp"
#include "tests/unit/egress/inside.hpp"
#include "tests/unit/egress/outside.hpp"

using namespace fabric;
using namespace fabric::egress;

namespace {

const std::string k_secret = "sk-very-secret-0123456789";

// Answers each request with what it got: the worst that a server can do with a secret.
class TlsEcho {
 public:
  explicit TlsEcho(const std::string& name) : context_(::SSL_CTX_new(::TLS_server_method())) {
    const std::string directory = std::string(FABRIC_TEST_DATA) + "/unit/egress/";
    REQUIRE(::SSL_CTX_use_certificate_file(context_, (directory + name + ".pem").c_str(),
                                           SSL_FILETYPE_PEM) == 1);
    REQUIRE(::SSL_CTX_use_PrivateKey_file(context_, (directory + "key.pem").c_str(),
                                          SSL_FILETYPE_PEM) == 1);
    server_ = std::make_unique<HostServer>("127.77.0.1", 0, [this](int fd) { serve(fd); });
  }
  ~TlsEcho() {
    server_.reset();
    ::SSL_CTX_free(context_);
  }
  TlsEcho(const TlsEcho&) = delete;
  TlsEcho& operator=(const TlsEcho&) = delete;
  HostServer& server() { return *server_; }

 private:
  void serve(int fd) {
    SSL* ssl = ::SSL_new(context_);
    ::SSL_set_fd(ssl, fd);
    char buffer[16384];
    int n = 0;
    if (::SSL_accept(ssl) == 1)
      while ((n = ::SSL_read(ssl, buffer, sizeof buffer)) > 0) {
        const std::string got(buffer, static_cast<size_t>(n));
        server_->note(got);
        const std::string answer = "HTTP/1.1 200 OK\r\nX-Echo: " + k_secret +
                                   "\r\nContent-Length: " + std::to_string(got.size()) +
                                   "\r\n\r\n" + got;
        ::SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
      }
    ::SSL_free(ssl);
  }
  SSL_CTX* context_;
  std::unique_ptr<HostServer> server_;
};

Fd secret_file() {
  Fd fd(::memfd_create("secret", MFD_CLOEXEC));
  (void)write_all(fd.get(), k_secret + "\n");
  return fd;
}

}  // namespace

TEST_CASE("a redactor finds a text in pieces of all sizes") {
  const std::string stream = "a" + k_secret + k_secret + "sk-very-s" + k_secret.substr(0, 24) + "x";
  for (size_t piece = 1; piece < stream.size(); ++piece) {
    Redactor redactor(k_secret);
    std::string out;
    for (size_t at = 0; at < stream.size(); at += piece)
      out += redactor.feed(std::string_view(stream).substr(at, piece));
    out += redactor.end();
    CHECK(out == "a" + std::string(50, '*') + "sk-very-s" + k_secret.substr(0, 24) + "x");
  }
  Redactor redactor(k_secret);
  CHECK(redactor.feed("nothing to hold back") == "nothing to hold back");
  CHECK_FALSE(redactor.holds());
}

TEST_CASE("a redactor finds a text in the chunks of a body") {
  for (size_t chunk = 1; chunk < k_secret.size(); ++chunk) {
    std::string stream, covered;
    for (size_t at = 0; at < k_secret.size(); at += chunk) {
      const std::string part = k_secret.substr(at, chunk);
      const std::string line = (at == 0 ? "" : "\r\n") + std::to_string(part.size() % 10) + "\r\n";
      stream += line + part;
      covered += line + std::string(part.size(), '*');
    }
    for (size_t piece = 1; piece < stream.size(); ++piece) {
      Redactor redactor(k_secret);
      std::string out;
      for (size_t at = 0; at < stream.size(); at += piece)
        out += redactor.feed(std::string_view(stream).substr(at, piece));
      CHECK(out == covered);
    }
  }
  Redactor redactor(k_secret);
  const std::string lines = "s\r\nk-very-secret";  // not a chunk
  CHECK(redactor.feed(lines) + redactor.end() == lines);
}

TEST_CASE("a redactor that gave out what it held covers what follows all the same") {
  Redactor redactor(k_secret);
  CHECK(redactor.feed("body " + k_secret.substr(0, 3)) == "body ");
  CHECK(redactor.holds());
  CHECK(redactor.end() == k_secret.substr(0, 3));
  CHECK(redactor.feed(k_secret.substr(3, 2)) == "**");
  CHECK(redactor.feed(k_secret.substr(5) + "x") == std::string(k_secret.size() - 5, '*') + "x");
  CHECK(redactor.feed("another") == "another");
}

TEST_CASE("egress: an injected secret stays outside") {
  if (::geteuid() != 0) {
    WARN("needs root");
    return;
  }
  TlsEcho tls("ca");
  Inside inside;
  Outside outside("127.77.0.1 api.test\n", false);
  const std::string port = std::to_string(tls.server().port());
  const Fd secret = secret_file();
  outside.attach("s1", inside.new_link(), {"api.test:" + port + "+private"},
                 R"("inject":[{"rule":"llm=api.test:)" + port + R"(,secret=key","fd":1}])",
                 {secret.get()});
  inside.run([&] {
    const std::string at = Inside::ask("llm.inject").address;
    const std::string request =
        "POST /v1/x HTTP/1.1\r\nHost: llm.inject\r\nauthorization: Bearer mine\r\n"
        "Accept-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc";
    const auto check = [](const std::string& answer) {
      CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
      CHECK(answer.find("X-Echo: *************************\r\n") != std::string::npos);
      CHECK(answer.find(k_secret) == std::string::npos);
    };
    const Fd fd = Inside::connect(at, 80);
    check(converse(fd, request));
    check(converse(fd, request));  // the connection is kept
    Fd proxied = Inside::connect("127.0.0.1", 3128);
    check(converse(proxied, "GET http://llm.inject/y HTTP/1.1\r\nHost: llm.inject\r\n\r\n"));
    proxied = Inside::connect("127.0.0.1", 3128);
    CHECK(converse(proxied, "CONNECT llm.inject:80 HTTP/1.1\r\nHost: x\r\n\r\n")
              .starts_with("HTTP/1.1 200 "));
    check(converse(proxied, "GET /z HTTP/1.1\r\nHost: llm.inject\r\n\r\n"));
    for (const char* bad : {"GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
                            "CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
                            "GET / HTTP/1.1\r\nHost: a\r\nAuthorization : x\r\n\r\n"}) {
      const Fd one = Inside::connect(at, 80);
      CHECK(converse(one, bad).starts_with("HTTP/1.1 400 "));
    }
    CHECK(Inside::ask("other.inject").code == 3);
  });
  const std::string noted = tls.server().noted();
  CHECK(noted.starts_with("POST /v1/x HTTP/1.1\r\nHost: api.test:" + port));
  CHECK(noted.find("Authorization: Bearer " + k_secret + "\r\n") != std::string::npos);
  CHECK(noted.find("mine") == std::string::npos);
  CHECK(noted.find("gzip") == std::string::npos);
  CHECK(noted.find("evil") == std::string::npos);
}

TEST_CASE("egress: nothing is injected into what cannot prove its name") {
  if (::geteuid() != 0) {
    WARN("needs root");
    return;
  }
  TlsEcho tls("ca");
  Inside inside;
  // The real program trusts the machine's authorities, which have never heard of this certificate;
  // the engine here trusts it, but for another name.
  const bool binary = GENERATE(false, true);
  Outside outside("127.77.0.1 api.test wrong.test\n", binary);
  const std::string port = std::to_string(tls.server().port());
  const std::string host = binary ? "api.test:" : "wrong.test:";
  const Fd secret = secret_file();
  outside.attach("s1", inside.new_link(), {host + port + "+private"},
                 R"("inject":[{"rule":"llm=)" + host + port + R"(,secret=key","fd":1}])",
                 {secret.get()});
  inside.run([&] {
    const Fd fd = Inside::connect(Inside::ask("llm.inject").address, 80);
    const std::string answer = converse(fd, "GET / HTTP/1.1\r\nHost: llm.inject\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 502 "));
  });
  CHECK(tls.server().noted().empty());
}
