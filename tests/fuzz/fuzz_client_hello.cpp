// SPDX-License-Identifier: Apache-2.0
// First messages of TLS clients. What is complete stays so with more bytes behind it, and asks for
// more before.
#include <cstdint>
#include <cstdlib>

#include "egress/client_hello.hpp"

using namespace fabric::egress;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ClientHello hello = parse_client_hello(bytes);
  require(hello.named == !hello.server_name.empty());
  if (hello.state != ClientHello::State::complete) return 0;
  require(hello.server_name.size() < size);
  const ClientHello half = parse_client_hello(bytes.substr(0, size / 2));
  if (half.state == ClientHello::State::complete) require(half.server_name == hello.server_name);
  return 0;
}
