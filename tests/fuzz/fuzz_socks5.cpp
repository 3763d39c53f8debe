// SPDX-License-Identifier: Apache-2.0
// What programs say to the SOCKS server. A target is a plain name or an address, never both or
// none.
#include <cstdint>
#include <cstdlib>

#include "egress/socks5.hpp"

using namespace fabric::egress;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Socks5 socks;
  std::string held, answer;
  Socks5::State state = Socks5::State::more;
  for (size_t i = 0; i < size && state == Socks5::State::more; ++i) {
    held.push_back(static_cast<char>(data[i]));
    state = socks.feed(held, answer);
    require(held.size() < 600);
  }
  if (state == Socks5::State::complete) {
    require(socks.target().port != 0 && !socks.target().name.empty());
    require(socks.target().address.has_value() == parse_address(socks.target().name).has_value());
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto target = parse_target(text, 80))
    require(target->port != 0 && target->name.find_first_of("/@% ") == std::string::npos);
  return 0;
}
