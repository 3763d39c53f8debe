// SPDX-License-Identifier: Apache-2.0
// The two meta pages of an LMDB 0.9 file, read without LMDB: it maps the file and dies of SIGBUS
// when pages are missing, so we look first.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric::store {

// An LMDB B-tree as its parent describes it.
struct TreeRoot {
  uint16_t flags = 0, depth = 0;
  uint64_t branch_pages = 0, leaf_pages = 0, overflow_pages = 0, entries = 0, root = 0;
};
constexpr uint64_t k_no_page = ~uint64_t{0};
constexpr size_t k_tree_root_size = 48;
TreeRoot parse_tree_root(const uint8_t* bytes);

struct MetaPage {
  uint32_t page_size = 0;
  uint64_t last_page = 0, transaction = 0;
  TreeRoot free_pages, main;
};

// Of a file with less than two pages: whether its first meta page is torn, or counts no commit.
bool is_unborn(int data_file);

// The current one of the two. Errors say "damaged" and why.
Result<MetaPage> read_meta_page(int data_file);
// That of a snapshot which a read transaction holds, unless two commits have replaced it since.
std::optional<MetaPage> read_meta_page(int data_file, uint64_t transaction);
}  // namespace fabric::store
