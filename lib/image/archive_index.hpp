// SPDX-License-Identifier: Apache-2.0
// What is where in an archive of an image, which is read out of order. Hostile.
#pragma once

#include <map>
#include <string>

#include "image/image_layout.hpp"

namespace fabric {

class ArchiveIndex {
 public:
  // `fd`: a regular file of `size` bytes, which must outlive this.
  static Result<ArchiveIndex> read(int fd, uint64_t size);
  // Links, by which older versions of docker save named layers that they had already, are followed.
  [[nodiscard]] Result<Blob> open(const std::string& name) const;

 private:
  int fd_ = -1;
  std::map<std::string, Blob> files_;
  std::map<std::string, std::string> links_;
};

}  // namespace fabric
