// SPDX-License-Identifier: Apache-2.0
// Archives of images: index, manifest and configuration. Nothing is unpacked.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "image/archive_index.hpp"
#include "image/layout_name.hpp"

using namespace fabric;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto config = parse_image_config(bytes)) {
    const auto again = parse_image_config(to_json(*config));
    require(again.has_value() && *again == *config);
  }
  const Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
  require(file.valid() && write_all(file.get(), bytes).has_value());
  const auto index = ArchiveIndex::read(file.get(), size);
  if (!index) return 0;
  const auto image = find_image([&](const std::string& name) {
    auto blob = index->open(name);
    if (blob) require(blob->offset <= size && blob->size <= size - blob->offset);
    return blob;
  });
  if (!image) return 0;
  require(is_sha256(image->id));
  for (const ImageLayer& layer : image->layers) require(is_sha256(layer.diff_id));
  return 0;
}
