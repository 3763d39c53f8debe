// SPDX-License-Identifier: Apache-2.0
#include "base/tz_file.hpp"

#include <algorithm>
#include <array>

namespace fabric {
namespace {

constexpr size_t k_header = 44;
constexpr int64_t k_farthest = int64_t{1} << 42;  // 139 000 years: sums with it cannot overflow
constexpr size_t k_type = 6;  // bytes of a local time type: offset, is it summer time, designation

tl::unexpected<Error> damaged(const char* what) {
  return fail(ErrorCode::failed, std::string("not a time zone file: ") + what);
}

// Big endian, two's complement. The caller has checked that the bytes are there.
int64_t number(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = (static_cast<unsigned char>(bytes[at]) & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return static_cast<int64_t>(value);
}

struct Counts {
  size_t utc_flags, standard_flags, leaps, times, types, letters;
  [[nodiscard]] size_t block(size_t time_size) const {
    return times * (time_size + 1) + types * k_type + letters + leaps * (time_size + 4) +
           standard_flags + utc_flags;
  }
};

Result<Counts> read_header(std::string_view bytes) {
  if (bytes.size() < k_header || !bytes.starts_with("TZif")) return damaged("it has no header");
  auto count = [&](size_t i) {
    return static_cast<size_t>(number(bytes, 20 + 4 * i, 4) & 0xffffffff);
  };
  const Counts counts{count(0), count(1), count(2), count(3), count(4), count(5)};
  for (size_t n : {counts.utc_flags, counts.standard_flags, counts.leaps, counts.times,
                   counts.types, counts.letters})
    if (n > bytes.size()) return damaged("it is cut off");  // keeps the sums below from overflowing
  if (counts.types == 0 || counts.types > 256) return damaged("it has no or too many local times");
  return counts;
}

Result<TzTable> read_block(std::string_view block, const Counts& counts, size_t time_size) {
  if (counts.leaps != 0)
    return fail(ErrorCode::failed, "the zone counts leap seconds, which Unix time does not");
  const size_t indices = counts.times * time_size;
  const size_t types = indices + counts.times;
  std::array<int32_t, 256> offsets{};
  for (size_t i = 0; i < counts.types; ++i) {
    const int64_t offset = number(block, types + i * k_type, 4);
    if (offset < k_least_utc_offset || offset > k_greatest_utc_offset)
      return damaged("an offset is out of range");
    offsets[i] = static_cast<int32_t>(offset);
  }
  TzTable table;
  table.first_offset = offsets[0];
  int32_t offset = table.first_offset;
  int64_t before = INT64_MIN;
  for (size_t i = 0; i < counts.times; ++i) {
    const int64_t at = number(block, i * time_size, time_size);
    const size_t type = static_cast<unsigned char>(block[indices + i]);
    if (type >= counts.types) return damaged("a local time is missing");
    if (at > k_farthest || (i > 0 && at <= before)) return damaged("its times are not in order");
    before = at;
    if (offsets[type] == offset) continue;
    offset = offsets[type];
    table.changes.push_back({std::max(at, -k_farthest), offset});  // some begin at the big bang
  }
  return table;
}

}  // namespace

Result<TzTable> parse_tz_file(std::string_view bytes) {
  Counts counts = TRY(read_header(bytes));
  const char version = bytes[4];
  size_t time_size = 4;
  bytes.remove_prefix(k_header);
  if (version >= '2') {  // the same again, with times of 64 bits, and the rule
    if (bytes.size() < counts.block(4)) return damaged("it is cut off");
    bytes.remove_prefix(counts.block(4));
    counts = TRY(read_header(bytes));
    bytes.remove_prefix(k_header);
    time_size = 8;
  }
  if (bytes.size() < counts.block(time_size)) return damaged("it is cut off");
  TzTable table = TRY(read_block(bytes, counts, time_size));
  bytes.remove_prefix(counts.block(time_size));
  if (version < '2') return table;
  const size_t end = bytes.find('\n', 1);
  if (!bytes.starts_with('\n') || end == std::string_view::npos)
    return damaged("its end is missing");
  table.rule = bytes.substr(1, end - 1);
  return table;
}

}  // namespace fabric
