// SPDX-License-Identifier: Apache-2.0
// The parts of an image, in a directory or an archive: as the OCI image layout has them (index.json
// and blobs), or as docker save writes them (manifest.json). Hostile.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "image/image_config.hpp"

namespace fabric {

// A part of a file. The descriptor belongs to whoever handed it out.
struct Blob {
  int fd = -1;
  uint64_t offset = 0, size = 0;
};
// By name, "index.json" or "blobs/sha256/...". not_found when there is none.
using OpenBlob = std::function<Result<Blob>(const std::string& name)>;

struct ImageLayer {
  std::string name;     // of the blob
  std::string digest;   // SHA-256 of the blob, "" where nobody says; hexadecimal
  std::string diff_id;  // of what is in it, unpacked
};
struct Image {
  std::string id;  // SHA-256 of its configuration
  ImageConfig config;
  std::vector<ImageLayer> layers;  // the lowest first
};

Result<Image> find_image(const OpenBlob& open);

}  // namespace fabric
