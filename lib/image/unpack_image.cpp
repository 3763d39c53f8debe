// SPDX-License-Identifier: Apache-2.0
#include "image/unpack_image.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "image/archive_index.hpp"
#include "image/byte_source.hpp"

namespace fabric {

namespace {

enum class Packing { none, gzip, zstd };

Packing packing_of(const Blob& blob) {
  std::array<unsigned char, 4> start{};
  if (blob.size < start.size() ||
      ::pread(blob.fd, start.data(), start.size(), static_cast<off_t>(blob.offset)) != 4)
    return Packing::none;
  if (start[0] == 0x1f && start[1] == 0x8b) return Packing::gzip;
  constexpr std::array<unsigned char, 4> k_zstd{0x28, 0xb5, 0x2f, 0xfd};
  return start == k_zstd ? Packing::zstd : Packing::none;
}

tl::unexpected<Error> no_zstd() {
  return fail(ErrorCode::unavailable, "it is packed with zstd, which fabric does not read",
              "write it again with gzip: skopeo copy --dest-compress-format gzip --dest-compress "
              "..., or docker save");
}

Status unpack_layer(const OpenBlob& open, const ImageLayer& layer, LayerUnpacker& unpacker,
                    const UnpackLimits& limits) {
  const Blob blob = TRY(open(layer.name));
  const Packing packing = packing_of(blob);
  if (packing == Packing::zstd) return no_zstd();
  FileSource file(blob.fd, blob.offset, blob.size);
  HashSource packed(file);
  std::unique_ptr<ByteSource> unpacked;
  // Headers and padding come on top of what is in the files.
  if (packing == Packing::gzip)
    unpacked = TRY(make_gzip_source(packed, limits.bytes + limits.members * 1024));
  HashSource content(unpacked ? *unpacked : static_cast<ByteSource&>(packed));
  TRY_STATUS(unpacker.unpack(content));
  if (TRY(content.finish()) != layer.diff_id)
    return fail(ErrorCode::usage, "a layer is not what the digest in its configuration says");
  if (!layer.digest.empty() && TRY(packed.finish()) != layer.digest)
    return fail(ErrorCode::usage, layer.name + " is not what its digest says");
  return {};
}

}  // namespace

Result<Image> unpack_image(const OpenBlob& open, Fd root, bool owners, UnpackLimits limits) {
  Image image = TRY(find_image(open));
  LayerUnpacker unpacker(std::move(root), owners, limits);
  for (const ImageLayer& layer : image.layers)
    TRY_STATUS(unpack_layer(open, layer, unpacker, limits));
  return image;
}

Result<Image> unpack_archive(const Fd& archive, Fd root, bool owners, UnpackLimits limits) {
  struct stat status {};
  if (::fstat(archive.get(), &status) != 0) return fail_errno(errno, "the archive");
  Blob whole{archive.get(), 0, static_cast<uint64_t>(status.st_size)};
  const Packing packing = packing_of(whole);
  if (packing == Packing::zstd) return no_zstd();
  Fd plain;
  if (packing == Packing::gzip) {
    plain = Fd(::openat(root.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!plain) return fail_errno(errno, "a file to unpack the archive into");
    FileSource file(whole.fd, 0, whole.size);
    const auto source = TRY(make_gzip_source(file, limits.bytes));
    std::vector<char> buffer(size_t{64} << 10);
    whole = {plain.get(), 0, 0};
    for (;;) {
      const size_t got = TRY(source->read(buffer.data(), buffer.size()));
      if (got == 0) break;
      whole.size += got;
      TRY_STATUS(write_all(plain.get(), {buffer.data(), got}));
    }
  }
  const ArchiveIndex index = TRY(ArchiveIndex::read(whole.fd, whole.size));
  return unpack_image([&index](const std::string& name) { return index.open(name); },
                      std::move(root), owners, limits);
}

}  // namespace fabric
