// SPDX-License-Identifier: Apache-2.0
// Puts the layers of an image on top of each other. Meant for a process that has nothing but the
// directory: as a second reason, no name is resolved beyond it (openat2(2), RESOLVE_IN_ROOT).
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "image/tar_reader.hpp"

namespace fabric {

struct UnpackLimits {
  uint64_t bytes = uint64_t{32} << 30;  // of all files
  uint64_t members = 2000000;
};

class LayerUnpacker {
 public:
  // `owners`: whether files get the owners that the image says; else all are ours, and directories
  // stay writable, so that they can be removed again.
  LayerUnpacker(Fd root, bool owners, UnpackLimits limits)
      : root_(std::move(root)), owners_(owners), left_(limits) {}

  // One layer. No setuid or setgid bit, device or extended attribute comes out of it.
  Status unpack(ByteSource& layer);
  [[nodiscard]] uint64_t devices_left_out() const { return devices_; }

 private:
  struct Place;
  Status put(TarReader& tar, const TarMember& member);
  Result<Place> find_place(const std::string& name);
  Result<int> parent_of(const std::string& parent);
  Status whiteout(const Place& place);
  Status clear_older(const Place& place);
  Status put_file(TarReader& tar, const TarMember& member, const Place& place);
  Status put_directory(const TarMember& member, const Place& place);
  Status put_hard_link(const TarMember& member, const Place& place);
  Status make_way(const Place& place, bool keep_directory);
  Status own(const TarMember& member, const Place& place);

  Fd root_;
  bool owners_;
  UnpackLimits left_;
  uint64_t devices_ = 0;
  Fd parent_;  // the one that was used last
  std::string parent_name_;
  std::set<std::string> made_;  // by this layer
};

}  // namespace fabric
