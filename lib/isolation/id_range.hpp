// SPDX-License-Identifier: Apache-2.0
// Ids of users for the user namespace of a container, one range for each sandbox of the machine, so
// that no two of them, and nobody else, share an id. As root only.
#pragma once

#include <cstdint>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

constexpr uint32_t k_ids_of_a_range = 65536;
// Whom files on disk belong to that are a container's: those of an unpacked image, and changes. In
// a sandbox its own range stands for this one. No process has these ids: a setuid bit that an agent
// sets, or an image brings, is worth nothing outside.
constexpr uint32_t k_ids_on_disk = 0x5fff0000;

struct IdRange {
  uint32_t first = 0;
  Fd lock;  // the range is free again when every duplicate of it is closed
};
Result<IdRange> take_id_range();

}  // namespace fabric
