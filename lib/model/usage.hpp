// SPDX-License-Identifier: Apache-2.0
// What a task used, as its agent reports it. Integers only; money in millionths of a US dollar.
#pragma once

#include <cstdint>

namespace fabric {

struct Usage {
  uint64_t requests = 0;
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
  uint64_t cost_microusd = 0;
  bool operator==(const Usage&) const = default;
  // Adds, staying at the largest number instead of wrapping around.
  Usage& operator+=(const Usage& more) {
    auto add = [](uint64_t& a, uint64_t b) { a = a > UINT64_MAX - b ? UINT64_MAX : a + b; };
    add(requests, more.requests);
    add(input_tokens, more.input_tokens);
    add(output_tokens, more.output_tokens);
    add(cost_microusd, more.cost_microusd);
    return *this;
  }
};

}  // namespace fabric
