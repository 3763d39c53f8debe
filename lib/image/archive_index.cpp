// SPDX-License-Identifier: Apache-2.0
#include "image/archive_index.hpp"

#include <filesystem>

#include "image/tar_reader.hpp"

namespace fabric {

namespace {

constexpr size_t k_most_members = 65536;

std::string normal(const std::string& name) {
  std::string text = std::filesystem::path(name).lexically_normal().string();
  while (text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace

Result<ArchiveIndex> ArchiveIndex::read(int fd, uint64_t size) {
  ArchiveIndex index;
  index.fd_ = fd;
  FileSource source(fd, 0, size);
  TarReader tar(source);
  for (size_t members = 0; members < k_most_members; ++members) {
    const std::optional<TarMember> member = TRY(tar.next());
    if (!member) return index;
    const std::string name = normal(member->name);
    if (member->kind == TarKind::file) {
      if (member->size > size - tar.offset()) return fail(ErrorCode::usage, "it is cut off");
      index.files_[name] = {fd, tar.offset(), member->size};
    }
    if (member->kind == TarKind::link)
      index.links_[name] = normal(std::filesystem::path(name).parent_path() / member->link);
    if (member->kind == TarKind::hard_link) index.links_[name] = normal(member->link);
  }
  return fail(ErrorCode::usage, "it is no image: its archive has more than 65536 members");
}

Result<Blob> ArchiveIndex::open(const std::string& name) const {
  std::string at = normal(name);
  for (int links = 0; links < 8; ++links) {
    if (const auto file = files_.find(at); file != files_.end()) return file->second;
    const auto link = links_.find(at);
    if (link == links_.end()) break;
    at = link->second;
  }
  return fail(ErrorCode::not_found, "it has no " + name);
}

}  // namespace fabric
