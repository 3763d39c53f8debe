// SPDX-License-Identifier: Apache-2.0
#include "egress/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>

namespace fabric::egress {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};

std::string last_error() {
  const unsigned long code = ::ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  return reason == nullptr ? "the connection broke" : reason;
}

class Stream final : public TlsStream {
 public:
  explicit Stream(SSL* ssl) : ssl_(ssl) {}
  Want handshake() override {
    ::ERR_clear_error();
    const int result = ::SSL_connect(ssl_.get());
    return result == 1 ? Want::nothing : wanted(result);
  }
  size_t read(char* to, size_t size, Want& want) override {
    ::ERR_clear_error();
    const int n = ::SSL_read(ssl_.get(), to, static_cast<int>(std::min<size_t>(size, INT_MAX)));
    want = n > 0 ? Want::nothing : wanted(n);
    return n > 0 ? static_cast<size_t>(n) : 0;
  }
  size_t write(const char* from, size_t size, Want& want) override {
    ::ERR_clear_error();
    const int n = ::SSL_write(ssl_.get(), from, static_cast<int>(std::min<size_t>(size, INT_MAX)));
    want = n > 0 ? Want::nothing : wanted(n);
    return n > 0 ? static_cast<size_t>(n) : 0;
  }
  [[nodiscard]] std::string error() const override {
    const long verified = ::SSL_get_verify_result(ssl_.get());
    return verified == X509_V_OK ? last_error() : ::X509_verify_cert_error_string(verified);
  }

 private:
  Want wanted(int result) {
    switch (::SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return Want::more;
      case SSL_ERROR_ZERO_RETURN:
        return Want::nothing;
      default:
        return Want::failed;
    }
  }
  std::unique_ptr<SSL, Free> ssl_;
};

class Context final : public TlsContext {
 public:
  explicit Context(SSL_CTX* context) : context_(context) {}
  Result<std::unique_ptr<TlsStream>> connect(int socket, const std::string& name) override {
    SSL* ssl = ::SSL_new(context_.get());
    auto stream = std::make_unique<Stream>(ssl);
    if (ssl == nullptr || ::SSL_set_fd(ssl, socket) != 1 ||
        // SSL_set_tlsext_host_name() without the cast of its macro.
        ::SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                   const_cast<char*>(name.c_str())) != 1 ||
        ::SSL_set1_host(ssl, name.c_str()) != 1)
      return fail(ErrorCode::failed, "TLS: " + last_error());
    ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return std::unique_ptr<TlsStream>(std::move(stream));
  }

 private:
  std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::make(const std::string& authorities) {
  SSL_CTX* context = ::SSL_CTX_new(::TLS_client_method());
  auto out = std::make_unique<Context>(context);
  if (context == nullptr) return fail(ErrorCode::unavailable, "TLS: " + last_error());
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
  const int loaded = authorities.empty()
                         ? ::SSL_CTX_set_default_verify_paths(context)
                         : ::SSL_CTX_load_verify_locations(context, authorities.c_str(), nullptr);
  if (loaded != 1)
    return fail(ErrorCode::unavailable, "TLS: no certificates of authorities: " + last_error(),
                "apt-get install ca-certificates");
  return std::unique_ptr<TlsContext>(std::move(out));
}

}  // namespace fabric::egress
