// SPDX-License-Identifier: Apache-2.0
// What a disk holds after its power was cut. All that the last sync before covers is there. Of the
// later writes any may be missing, have come in any order, or be torn between sectors; one that was
// synchronous and has returned is whole.
#pragma once

#include <string>
#include <vector>

#include "disk_recorder.hpp"
#include "random.hpp"

namespace fabric::crash {

enum class Disk : uint8_t {
  honest,
  lying,  // says "synced" and has not: what a store without syncs would live on
};

// Cuts at ever later positions, made from one recording.
class DiskImage {
 public:
  DiskImage(const std::vector<DiskOperation>& operations, Disk disk)
      : operations_(operations), disk_(disk) {}

  // The first `cut` operations have returned; the next was under way.
  std::string after_cut(size_t cut, Random& random);

 private:
  void make_durable(size_t end);
  size_t last_sync(size_t cut, Random& random) const;

  const std::vector<DiskOperation>& operations_;
  const Disk disk_;
  std::string durable_;
  size_t durable_end_ = 0;
};

}  // namespace fabric::crash
