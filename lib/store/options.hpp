// SPDX-License-Identifier: Apache-2.0
// What tests turn to reach the corners; everybody else takes the defaults.
#pragma once

#include <cstdint>

namespace fabric::store {

struct OpenOptions {
  uint64_t map_bytes = uint64_t{64} << 30;      // address space, not disk; less under RLIMIT_AS
  uint64_t headroom_bytes = uint64_t{1} << 30;  // room a transaction finds at least when it begins
};

}  // namespace fabric::store
