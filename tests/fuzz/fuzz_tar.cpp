// SPDX-License-Identifier: Apache-2.0
// Layers of images, packed or not. What a member says of itself stays within limits, and no more of
// its bytes come than it has.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "image/tar_reader.hpp"

using namespace fabric;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read_members(ByteSource& source) {
  TarReader tar(source);
  std::array<char, 700> buffer{};
  for (int members = 0; members < 1000; ++members) {
    const auto member = tar.next();
    if (!member || !*member) return;
    const TarMember& m = **member;
    require(!m.name.empty() && m.name.size() <= k_longest_member_name);
    require(m.name.find('\0') == std::string::npos && m.link.find('\0') == std::string::npos);
    require((m.mode & ~07777U) == 0);
    require(m.kind == TarKind::file || m.size == 0);
    uint64_t total = 0;
    for (;;) {
      const auto got = tar.read(buffer.data(), buffer.size());
      if (!got) return;
      if (*got == 0) break;
      total += *got;
    }
    require(total == m.size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  StringSource plain(bytes);
  read_members(plain);
  StringSource packed(bytes);
  auto gzip = make_gzip_source(packed, 1 << 20);
  require(gzip.has_value());
  read_members(**gzip);
  return 0;
}
