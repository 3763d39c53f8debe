// SPDX-License-Identifier: Apache-2.0
#include "store/meta_page.hpp"

#include <unistd.h>

#include <bit>
#include <cstring>
#include <optional>

namespace fabric::store {
namespace {

constexpr uint32_t k_magic = 0xBEEFC0DE;
constexpr uint32_t k_data_version = 1;
constexpr uint16_t k_flag_meta = 0x08;
constexpr size_t k_page_header = 16;
constexpr size_t k_meta_bytes = k_page_header + 24 + 2 * k_tree_root_size + 16;
constexpr uint64_t k_largest_page_number = uint64_t{1} << 47;

template <class T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// struct MDB_page header, then struct MDB_meta: magic, version, address, map size, two MDB_db,
// last page, transaction. The page size is in the first MDB_db.
std::optional<MetaPage> parse(const uint8_t* page) {
  if ((load<uint16_t>(page + 10) & k_flag_meta) == 0) return std::nullopt;
  const uint8_t* meta = page + k_page_header;
  if (load<uint32_t>(meta) != k_magic || load<uint32_t>(meta + 4) != k_data_version)
    return std::nullopt;
  MetaPage out;
  out.page_size = load<uint32_t>(meta + 24);
  if (!std::has_single_bit(out.page_size) || out.page_size < 512 || out.page_size > 65536)
    return std::nullopt;
  out.free_pages = parse_tree_root(meta + 24);
  out.main = parse_tree_root(meta + 24 + k_tree_root_size);
  out.last_page = load<uint64_t>(meta + 24 + 2 * k_tree_root_size);
  out.transaction = load<uint64_t>(meta + 32 + 2 * k_tree_root_size);
  if (out.last_page > k_largest_page_number) return std::nullopt;
  return out;
}

std::optional<MetaPage> read_at(int file, off_t offset) {
  uint8_t bytes[k_meta_bytes];
  if (::pread(file, bytes, sizeof bytes, offset) != static_cast<ssize_t>(sizeof bytes))
    return std::nullopt;
  return parse(bytes);
}

}  // namespace

TreeRoot parse_tree_root(const uint8_t* bytes) {
  TreeRoot tree;
  tree.flags = load<uint16_t>(bytes + 4);
  tree.depth = load<uint16_t>(bytes + 6);
  tree.branch_pages = load<uint64_t>(bytes + 8);
  tree.leaf_pages = load<uint64_t>(bytes + 16);
  tree.overflow_pages = load<uint64_t>(bytes + 24);
  tree.entries = load<uint64_t>(bytes + 32);
  tree.root = load<uint64_t>(bytes + 40);
  return tree;
}

bool is_unborn(int data_file) {
  const std::optional<MetaPage> first = read_at(data_file, 0);
  return !first || first->transaction == 0;
}

Result<MetaPage> read_meta_page(int data_file) {
  // LMDB opens a file only when both pages are sound.
  const std::optional<MetaPage> first = read_at(data_file, 0);
  if (!first) return fail(ErrorCode::failed, "the first meta page is damaged");
  const std::optional<MetaPage> second = read_at(data_file, first->page_size);
  if (!second || second->page_size != first->page_size)
    return fail(ErrorCode::failed, "the second meta page is damaged");
  return first->transaction > second->transaction ? *first : *second;
}

std::optional<MetaPage> read_meta_page(int data_file, uint64_t transaction) {
  const std::optional<MetaPage> first = read_at(data_file, 0);
  if (first && first->transaction == transaction) return first;
  const std::optional<MetaPage> second = first ? read_at(data_file, first->page_size) : first;
  if (second && second->transaction == transaction) return second;
  return std::nullopt;
}

}  // namespace fabric::store
