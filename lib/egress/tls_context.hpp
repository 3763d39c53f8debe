// SPDX-License-Identifier: Apache-2.0
// TLS as a client, with the certificate and the name of the server verified against the machine's
// own authorities. OpenSSL is used in tls_context.cpp alone.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

namespace fabric::egress {

// One connection over a socket that does not block. One thread.
class TlsStream {
 public:
  enum class Want : uint8_t { nothing, more, failed };  // more: wait for the socket
  virtual ~TlsStream() = default;
  virtual Want handshake() = 0;
  // Bytes moved; 0 with a `want` of more or failed, or nothing at the end of what is sent.
  virtual size_t read(char* to, size_t size, Want& want) = 0;
  virtual size_t write(const char* from, size_t size, Want& want) = 0;
  [[nodiscard]] virtual std::string error() const = 0;
};

class TlsContext {
 public:
  virtual ~TlsContext() = default;
  // `authorities`: a file of certificates in place of the machine's; "" for the machine's.
  static Result<std::unique_ptr<TlsContext>> make(const std::string& authorities);
  virtual Result<std::unique_ptr<TlsStream>> connect(int socket, const std::string& name) = 0;
};

}  // namespace fabric::egress
