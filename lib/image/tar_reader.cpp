// SPDX-License-Identifier: Apache-2.0
#include "image/tar_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace fabric {

namespace {

constexpr size_t k_block = 512;
constexpr size_t k_largest_extension = size_t{1} << 20;
constexpr uint64_t k_largest_size = uint64_t{1} << 48;
constexpr int k_most_extensions = 16;  // before one member

// struct posix_header of <tar.h>
struct Header {
  char name[100];
  char mode[8], uid[8], gid[8], size[12], modified[12], checksum[8];
  char type;
  char link[100];
  char magic[6], version[2];
  char user[32], group[32], major[8], minor[8];
  char prefix[155];
  char rest[12];
};
static_assert(sizeof(Header) == k_block);

tl::unexpected<Error> damaged(const std::string& what) {
  return fail(ErrorCode::usage, "its tar archive is damaged: " + what);
}

template <size_t N>
std::string text(const char (&field)[N]) {
  return std::string(field, ::strnlen(field, N));
}

// Octal, or with the highest bit set a large number in binary, as GNU writes it.
template <size_t N>
std::optional<uint64_t> number(const char (&field)[N]) {
  uint64_t value = 0;
  if ((static_cast<unsigned char>(field[0]) & 0x80U) != 0) {
    if (field[0] != '\x80') return {};  // negative, or beyond all reason
    for (size_t i = 1; i < N; ++i) {
      if (value >> 56U != 0) return {};
      value = value << 8U | static_cast<unsigned char>(field[i]);
    }
    return value;
  }
  size_t i = 0;
  while (i < N && field[i] == ' ') ++i;
  for (; i < N && field[i] >= '0' && field[i] <= '7'; ++i) {
    if (value >> 60U != 0) return {};
    value = value * 8 + static_cast<uint64_t>(field[i] - '0');
  }
  for (; i < N; ++i)
    if (field[i] != ' ' && field[i] != 0) return {};
  return value;
}

// Of all bytes, those of the checksum itself counted as spaces.
bool checksum_holds(const Header& header) {
  std::array<unsigned char, k_block> bytes{};
  std::memcpy(bytes.data(), &header, k_block);
  uint64_t sum = 0;
  for (size_t i = 0; i < k_block; ++i) {
    const bool own = i >= offsetof(Header, checksum) && i < offsetof(Header, type);
    sum += own ? static_cast<unsigned char>(' ') : bytes[i];
  }
  return number(header.checksum) == sum;
}

template <class T>
bool parse_number(std::string_view from, T& to) {
  // pax writes times with fractions.
  from = from.substr(0, from.find('.'));
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), to);
  return error == std::errc{} && end == from.data() + from.size();
}

std::optional<TarKind> kind_of(char type) {
  switch (type) {
    case '0':
    case '\0':
    case '7':
      return TarKind::file;
    case '1':
      return TarKind::hard_link;
    case '2':
      return TarKind::link;
    case '3':
    case '4':
      return TarKind::device;
    case '5':
      return TarKind::directory;
    case '6':
      return TarKind::fifo;
    default:
      return {};
  }
}

bool usable(const std::string& name) {
  return !name.empty() && name.size() <= k_longest_member_name &&
         name.find('\0') == std::string::npos;
}

}  // namespace

// What extensions say of the member that follows them.
struct TarReader::Extra {
  std::optional<std::string> name, link;
  std::optional<uint64_t> size, uid, gid;
  std::optional<int64_t> modified;
};

Status TarReader::take(char* to, size_t size) {
  TRY_STATUS(read_exactly(from_, to, size));
  offset_ += size;
  return {};
}

Status TarReader::skip_rest() {
  std::array<char, 16384> unused{};
  for (left_ += padding_, padding_ = 0; left_ != 0;) {
    const auto part = static_cast<size_t>(std::min<uint64_t>(left_, unused.size()));
    TRY_STATUS(take(unused.data(), part));
    left_ -= part;
  }
  return {};
}

Result<std::string> TarReader::read_text(uint64_t size, size_t most) {
  if (size > most) return damaged("an extension is too long");
  std::string bytes(static_cast<size_t>(size), '\0');
  TRY_STATUS(take(bytes.data(), bytes.size()));
  return bytes;
}

// Records "LENGTH NAME=VALUE\n", LENGTH counting all of it.
Status TarReader::read_pax(uint64_t size, Extra& extra) {
  const std::string bytes = TRY(read_text(size, k_largest_extension));
  for (std::string_view rest = bytes; !rest.empty();) {
    size_t length = 0;
    const size_t space = rest.find(' ');
    if (space == std::string_view::npos || !parse_number(rest.substr(0, space), length) ||
        length <= space + 1 || length > rest.size() || rest[length - 1] != '\n')
      return damaged("a pax record");
    const std::string_view record = rest.substr(space + 1, length - space - 2);
    rest.remove_prefix(length);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) return damaged("a pax record");
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    bool good = true;
    if (key == "path") extra.name = value;
    if (key == "linkpath") extra.link = value;
    if (key == "size") good = parse_number(value, extra.size.emplace());
    if (key == "uid") good = parse_number(value, extra.uid.emplace());
    if (key == "gid") good = parse_number(value, extra.gid.emplace());
    if (key == "mtime") good = parse_number(value, extra.modified.emplace());
    if (key.starts_with("GNU.sparse"))
      return fail(ErrorCode::usage, "its tar archive has sparse files, which no image has");
    if (!good) return damaged("pax record " + std::string(key));
  }
  return {};
}

// False: it is none.
Result<bool> TarReader::read_extension(char type, uint64_t size, Extra& extra) {
  Extra unused;  // of the whole archive: nothing there is of use to us
  switch (type) {
    case 'x':
      TRY_STATUS(read_pax(size, extra));
      return true;
    case 'g':
      TRY_STATUS(read_pax(size, unused));
      return true;
    case 'L':
    case 'K': {
      std::string name = TRY(read_text(size, k_longest_member_name + 1));
      name.resize(::strnlen(name.data(), name.size()));
      (type == 'L' ? extra.name : extra.link) = std::move(name);
      return true;
    }
    case 'S':
      return fail(ErrorCode::usage, "its tar archive has sparse files, which no image has");
    default:
      return false;
  }
}

Result<std::optional<TarMember>> TarReader::next() {
  TRY_STATUS(skip_rest());
  Extra extra;
  for (int extensions = 0; extensions <= k_most_extensions; ++extensions) {
    Header header{};
    auto* start = reinterpret_cast<char*>(&header);
    const size_t first = TRY(from_.read(start, k_block));
    if (first == 0 && extensions == 0) return std::optional<TarMember>();  // as Go's tar has it
    offset_ += first;
    TRY_STATUS(take(start + first, k_block - first));
    // Two blocks of zeros end an archive; whoever wrote one of them meant both.
    const auto* bytes = reinterpret_cast<const char*>(&header);
    if (std::all_of(bytes, bytes + k_block, [](char byte) { return byte == 0; }))
      return std::optional<TarMember>();
    if (!checksum_holds(header)) return damaged("a checksum is wrong");
    const auto size = number(header.size);
    if (!size || *size > k_largest_size) return damaged("a size");
    padding_ = (k_block - *size % k_block) % k_block;
    if (TRY(read_extension(header.type, *size, extra))) {
      TRY_STATUS(skip_rest());
      continue;
    }
    const auto kind = kind_of(header.type);
    if (!kind)
      return fail(ErrorCode::usage,
                  "its tar archive has a member of an unknown type: " + text(header.name));
    TarMember member;
    member.kind = *kind;
    // GNU's own format has other things where ustar has the prefix.
    const bool ustar = std::memcmp(header.magic, "ustar\0", 6) == 0;
    const std::string prefix = ustar ? text(header.prefix) : "";
    member.name = (prefix.empty() ? "" : prefix + "/") + text(header.name);
    member.link = text(header.link);
    const auto mode = number(header.mode), uid = number(header.uid), gid = number(header.gid);
    if (!mode || !uid || !gid) return damaged("a number of " + member.name);
    member.mode = static_cast<uint32_t>(*mode & 07777U);
    member.uid = extra.uid.value_or(*uid);
    member.gid = extra.gid.value_or(*gid);
    member.modified = extra.modified.value_or(
        static_cast<int64_t>(std::min(number(header.modified).value_or(0), k_largest_size)));
    if (extra.name) member.name = *extra.name;
    if (extra.link) member.link = *extra.link;
    // Old archives say that a file is a directory by its name.
    if (member.kind == TarKind::file && header.type == 0 && member.name.ends_with('/'))
      member.kind = TarKind::directory;
    const uint64_t follows = extra.size.value_or(*size);
    if (follows > k_largest_size) return damaged("a size");
    left_ = member.kind == TarKind::file ? follows : 0;
    member.size = left_;
    padding_ = (k_block - left_ % k_block) % k_block;
    const bool links = member.kind == TarKind::hard_link || member.kind == TarKind::link;
    if (!usable(member.name) || (links && !usable(member.link))) return damaged("a name");
    return std::optional(std::move(member));
  }
  return damaged("too many extensions");
}

Result<size_t> TarReader::read(char* to, size_t size) {
  const auto wanted = static_cast<size_t>(std::min<uint64_t>(size, left_));
  if (wanted == 0) return size_t{0};
  const size_t got = TRY(from_.read(to, wanted));
  if (got == 0) return fail(ErrorCode::usage, "it is cut off");
  offset_ += got;
  left_ -= got;
  return got;
}

}  // namespace fabric
