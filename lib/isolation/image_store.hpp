// SPDX-License-Identifier: Apache-2.0
// Images that were unpacked, each once:
//
//   ID/rootfs, ID/config.json   ID: SHA-256 of its configuration, which names all of its content
//   by-source/KEY               a link to ID; KEY: which file that was, and as of when
//   new-*                       one that is being unpacked, or was when fabric was killed
#pragma once

#include <string>

#include "base/result.hpp"
#include "image/image_config.hpp"

namespace fabric {

struct StoredImage {
  std::string directory;  // its root file system
  ImageConfig config;
};

// `path`: a directory in OCI image layout, or an archive. The work is done by fabric-unpack (beside
// `init_binary`), a process without rights. Other callers for the same store wait meanwhile.
Result<StoredImage> store_image(const std::string& path, bool layout, const std::string& store,
                                const std::string& init_binary);

}  // namespace fabric
