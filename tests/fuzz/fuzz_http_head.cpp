// SPDX-License-Identifier: Apache-2.0
// Requests of programs that are held to one host. Byte by byte or at once, the same is passed on,
// and what is passed on reads back as the very same requests.
#include <cstdint>
#include <cstdlib>

#include "egress/http_requests.hpp"

using namespace fabric::egress;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  bool good = true;
  std::string out;
  size_t heads = 0;
};

Outcome feed(std::string_view bytes, size_t piece) {
  Outcome outcome;
  std::string why;
  HttpRequests requests([](HttpHead& head) -> std::optional<std::string> {
    return head.host == "a" ? std::optional(head.text()) : std::nullopt;
  });
  for (size_t at = 0; outcome.good && at < bytes.size(); at += piece)
    outcome.good = requests.feed(bytes.substr(at, piece), outcome.out, why);
  outcome.heads = requests.heads();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)recognise(bytes);
  const Outcome whole = feed(bytes, size + 1), bit_by_bit = feed(bytes, 1);
  require(whole.good == bit_by_bit.good && whole.heads == bit_by_bit.heads);
  if (whole.good) require(whole.out == bit_by_bit.out);
  const Outcome again = feed(whole.out, size + 1);
  require(again.good && again.out == whole.out && again.heads == whole.heads);
  return 0;
}
