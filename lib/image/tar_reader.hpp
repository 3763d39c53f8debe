// SPDX-License-Identifier: Apache-2.0
// tar(5) archives as images have them: ustar, with the extensions of pax and GNU for long names.
// Hostile: nothing of a header is believed but within limits, and an archive that is not understood
// is refused, not guessed at. What members are called is not judged here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "image/byte_source.hpp"

namespace fabric {

enum class TarKind : uint8_t { file, hard_link, link, directory, fifo, device };

struct TarMember {
  TarKind kind = TarKind::file;
  std::string name, link;  // no NUL; not empty
  uint64_t size = 0;       // of what follows; 0 unless a file
  uint32_t mode = 0;       // the lower 12 bits
  uint64_t uid = 0, gid = 0;
  int64_t modified = 0;
};

constexpr size_t k_longest_member_name = 4095;  // PATH_MAX and its NUL

class TarReader {
 public:
  explicit TarReader(ByteSource& from) : from_(from) {}

  // The next member; what was not read of the one before is skipped. nullopt at the end.
  Result<std::optional<TarMember>> next();
  // Of the member's bytes, as ByteSource::read().
  Result<size_t> read(char* to, size_t size);
  // How many bytes of the archive came before those of the member.
  [[nodiscard]] uint64_t offset() const { return offset_; }

 private:
  struct Extra;
  Status take(char* to, size_t size);
  Status skip_rest();
  Result<std::string> read_text(uint64_t size, size_t most);
  Status read_pax(uint64_t size, Extra& extra);
  Result<bool> read_extension(char type, uint64_t size, Extra& extra);

  ByteSource& from_;
  uint64_t offset_ = 0;
  uint64_t left_ = 0, padding_ = 0;
};

}  // namespace fabric
