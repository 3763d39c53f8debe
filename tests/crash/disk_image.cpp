// SPDX-License-Identifier: Apache-2.0
#include "disk_image.hpp"

#include <algorithm>

namespace fabric::crash {
namespace {

using Kind = DiskOperation::Kind;

constexpr size_t k_sector = 512;
// A disk that lies has at most so many operations in its cache.
constexpr size_t k_largest_cache = 60;

void put(std::string& image, uint64_t offset, const char* bytes, size_t size) {
  if (image.size() < offset + size) image.resize(offset + size);
  image.replace(offset, size, bytes, size);
}

void apply(std::string& image, const DiskOperation& operation) {
  if (operation.kind == Kind::write)
    put(image, operation.offset, operation.bytes.data(), operation.bytes.size());
  if (operation.kind == Kind::lengthen && image.size() < operation.offset)
    image.resize(operation.offset);
}

// Some of its sectors.
void apply_torn(std::string& image, const DiskOperation& operation, Random& random) {
  const bool in_order = random.percent(50);
  const size_t sectors = (operation.bytes.size() + k_sector - 1) / k_sector;
  const size_t first_missing = random.below(sectors + 1);
  for (size_t i = 0; i < sectors; ++i) {
    if (in_order ? i >= first_missing : random.percent(50)) continue;
    const size_t at = i * k_sector;
    put(image, operation.offset + at, operation.bytes.data() + at,
        std::min(k_sector, operation.bytes.size() - at));
  }
}

}  // namespace

size_t DiskImage::last_sync(size_t cut, Random& random) const {
  if (disk_ == Disk::lying) {
    const size_t cached = random.between(1, k_largest_cache);
    return std::max(durable_end_, cut > cached ? cut - cached : 0);
  }
  size_t end = cut;
  while (end > durable_end_ && operations_[end - 1].kind != Kind::sync) --end;
  return end;
}

void DiskImage::make_durable(size_t end) {
  for (; durable_end_ < end; ++durable_end_) apply(durable_, operations_[durable_end_]);
}

std::string DiskImage::after_cut(size_t cut, Random& random) {
  make_durable(last_sync(cut, random));
  std::string image = durable_;
  std::vector<size_t> later;
  for (size_t i = durable_end_; i < std::min(cut + 1, operations_.size()); ++i)
    if (operations_[i].kind != Kind::sync) later.push_back(i);
  std::shuffle(later.begin(), later.end(), random.engine());
  // Sometimes nearly all of it was written, sometimes nearly nothing.
  const auto missing = static_cast<unsigned>(random.below(80));
  const auto torn = static_cast<unsigned>(random.below(50));
  std::vector<size_t> whole;
  for (size_t i : later) {
    const DiskOperation& operation = operations_[i];
    if (operation.synchronous && i < cut && disk_ == Disk::honest)
      whole.push_back(i);
    else if (random.percent(missing))
      continue;
    else if (operation.kind == Kind::write && random.percent(torn))
      apply_torn(image, operation, random);
    else
      apply(image, operation);
  }
  std::sort(whole.begin(), whole.end());
  for (size_t i : whole) apply(image, operations_[i]);
  return image;
}

}  // namespace fabric::crash
