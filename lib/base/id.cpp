// SPDX-License-Identifier: Apache-2.0
#include "base/id.hpp"

#define XXH_INLINE_ALL
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <mutex>

namespace fabric {
namespace {

bool id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

void fill_random(unsigned char* out, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = ::getrandom(out + done, size - done, 0);
    if (n > 0) done += static_cast<size_t>(n);
  }
}

std::string hex(const unsigned char* bytes, size_t size) {
  static constexpr char k_digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(size * 2);
  for (size_t i = 0; i < size; ++i) {
    out += k_digits[bytes[i] >> 4];
    out += k_digits[bytes[i] & 15];
  }
  return out;
}

}  // namespace

std::string id_of_key(std::string_view key) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits(key.data(), key.size()));
  return "key-" + hex(bytes.digest, sizeof bytes.digest);
}

bool is_valid_id(std::string_view id) {
  return !id.empty() && id.size() <= k_max_id_length && id[0] != '.' && id[0] != '-' &&
         std::all_of(id.begin(), id.end(), id_character);
}

Status check_id(std::string_view id, std::string_view what) {
  if (is_valid_id(id)) return {};
  std::string shown;
  for (char c : id.substr(0, 40)) shown += c >= ' ' && c < 127 ? c : '?';
  if (id.size() > 40) shown += "...";
  return fail(ErrorCode::usage, "invalid " + std::string(what) + " '" + shown + "'",
              "use 1 to 64 of A-Z a-z 0-9 . _ - and do not start with a dot or a dash");
}

std::string make_uuid7(const Clock& clock) {
  // RFC 9562, 6.2 method 2: 48 bits of milliseconds, then a 42-bit counter seeded at random each
  // millisecond in rand_a and the high part of rand_b, then 32 random bits.
  static std::mutex mutex;
  static int64_t last_ms = 0;
  static uint64_t counter = 0;
  // Random bits are taken in blocks: one getrandom per 64 ids.
  static std::array<unsigned char, 256> pool;
  static size_t pool_used = pool.size();

  static pid_t owner = 0;

  std::lock_guard lock(mutex);
  if (const pid_t self = ::getpid(); self != owner) {  // after a fork: not the parent's bits again
    owner = self;
    pool_used = pool.size();
    last_ms = 0;
  }
  auto random32 = [] {
    if (pool_used + 4 > pool.size()) {
      fill_random(pool.data(), pool.size());
      pool_used = 0;
    }
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | pool[pool_used++];
    return value;
  };
  int64_t ms = clock.now().us / 1000;
  if (ms > last_ms) {
    last_ms = ms;
    counter = random32();  // 32 of 42 bits: room to count upward within the millisecond
  } else {
    ++counter;
  }
  const uint32_t tail = random32();
  std::array<unsigned char, 16> b{};
  for (int i = 0; i < 6; ++i)
    b[static_cast<size_t>(i)] = static_cast<unsigned char>(last_ms >> (40 - 8 * i));
  const uint64_t rand_a = counter >> 30 & 0xfff;
  const uint64_t rand_b = counter & 0x3fffffff;
  b[6] = static_cast<unsigned char>(0x70 | rand_a >> 8);
  b[7] = static_cast<unsigned char>(rand_a);
  b[8] = static_cast<unsigned char>(0x80 | (rand_b >> 24 & 0x3f));
  b[9] = static_cast<unsigned char>(rand_b >> 16);
  b[10] = static_cast<unsigned char>(rand_b >> 8);
  b[11] = static_cast<unsigned char>(rand_b);
  for (int i = 0; i < 4; ++i)
    b[static_cast<size_t>(12 + i)] = static_cast<unsigned char>(tail >> (24 - 8 * i));
  std::string h = hex(b.data(), b.size());
  for (size_t at : {20U, 16U, 12U, 8U}) h.insert(at, 1, '-');
  return h;
}

std::string random_hex(size_t bytes) {
  std::string raw(bytes, '\0');
  fill_random(reinterpret_cast<unsigned char*>(raw.data()), bytes);
  return hex(reinterpret_cast<const unsigned char*>(raw.data()), bytes);
}

}  // namespace fabric
