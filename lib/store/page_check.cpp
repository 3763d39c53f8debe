// SPDX-License-Identifier: Apache-2.0
// Layout (LMDB 0.9, little-endian, 64 bit): a page is number u64, pad u16, flags u16, lower u16,
// upper u16 (or overflow pages u32), then offsets u16 of its nodes. A node is lo u16, hi u16, flags
// u16, key size u16, key, data. In a branch lo, hi and flags are the number of the child; in a leaf
// lo and hi are the size of the data, which is on overflow pages of its own when flag 1 is set.
#include "store/page_check.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "store/tables.hpp"

namespace fabric::store {
namespace {

constexpr uint16_t k_branch = 0x01, k_leaf = 0x02, k_overflow = 0x04;
constexpr uint16_t k_node_big = 0x01, k_node_table = 0x02;
constexpr size_t k_header = 16, k_node_header = 8, k_longest_key = 511;
constexpr uint16_t k_integer_key = 0x08;  // MDB_INTEGERKEY: the free table has it
constexpr uint64_t k_first_page = 2;

template <class T>
T load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

struct Node {
  std::string_view key, data;  // data: in the page
  uint64_t number = 0;         // child of a branch, size of a leaf's data
  uint16_t flags = 0;
};

class PageCheck {
 public:
  PageCheck(int file, const MetaPage& meta, const std::function<void(const std::string&)>& problem)
      : file_(file), meta_(meta), problem_(problem), used_(meta.last_page + 1, false) {
    struct stat info {};
    if (::fstat(file, &info) == 0) pages_ = static_cast<uint64_t>(info.st_size) / meta.page_size;
  }

  void run_table_list() {
    into_tables_ = false;
    tree(meta_.main, "tables", 0);
  }

  void run() {
    tree(meta_.free_pages, "free pages", k_integer_key);
    tree(meta_.main, "tables", 0);
    for (uint64_t page : free_)
      if (page < k_first_page || page > meta_.last_page)
        problem_("free pages: page " + std::to_string(page) + " does not exist");
      else if (used_[page])
        problem_("free pages: page " + std::to_string(page) + " is in use");
  }

 private:
  struct Totals {
    uint64_t branch = 0, leaf = 0, overflow = 0, entries = 0;
  };
  struct Tree {
    const TreeRoot& root;
    std::string name;
    bool integers;
    Totals totals;
    std::string last_key;
    bool any = false;
  };

  void tree(const TreeRoot& root, const std::string& name, uint16_t flags) {
    if (root.flags != flags) return problem_(name + ": damaged description");
    if (root.root == k_no_page) {
      if (root.entries != 0) problem_(name + ": lost its pages");
      return;
    }
    if (root.depth == 0 || root.depth > 32) return problem_(name + ": damaged description");
    Tree walk{root, name, flags == k_integer_key, {}, {}, false};
    if (!page(walk, root.root, 1, {}, std::nullopt)) return;
    const Totals& sum = walk.totals;
    if (sum.branch != root.branch_pages || sum.leaf != root.leaf_pages ||
        sum.overflow != root.overflow_pages || sum.entries != root.entries)
      problem_(name + ": has " + std::to_string(sum.entries) + " rows where " +
               std::to_string(root.entries) + " are expected, or other pages");
  }

  bool bad(const Tree& walk, uint64_t number, const std::string& what) {
    problem_(walk.name + ": page " + std::to_string(number) + ": " + what);
    return false;
  }

  // Marks pages as used; a page belongs to one place only.
  bool take(const Tree& walk, uint64_t number, uint64_t pages) {
    if (number < k_first_page || number > meta_.last_page || pages > meta_.last_page - number + 1)
      return bad(walk, number, "does not exist");
    if (number + pages > pages_) return bad(walk, number, "is missing: the file is cut off");
    for (uint64_t i = number; i < number + pages; ++i) {
      if (used_[i]) return bad(walk, i, "is used twice");
      used_[i] = true;
    }
    return true;
  }

  bool read(uint64_t number, char* bytes, size_t size) {
    return ::pread(file_, bytes, size, static_cast<off_t>(number * meta_.page_size)) ==
           static_cast<ssize_t>(size);
  }

  static int compare(const Tree& walk, std::string_view a, std::string_view b) {
    if (!walk.integers) return a.compare(b);
    const auto x = load<uint64_t>(a.data()), y = load<uint64_t>(b.data());
    return x < y ? -1 : x > y;
  }

  // Every key of it is at least `low` (where the parent says so) and below `high`.
  bool page(Tree& walk, uint64_t number, int depth, std::string_view low,
            std::optional<std::string_view> high) {
    if (!take(walk, number, 1)) return false;
    std::vector<char> bytes(meta_.page_size);
    if (!read(number, bytes.data(), bytes.size())) return bad(walk, number, "cannot be read");
    const bool leaf = depth == walk.root.depth;
    if (load<uint64_t>(bytes.data()) != number) return bad(walk, number, "is another page");
    if (load<uint16_t>(bytes.data() + 10) != (leaf ? k_leaf : k_branch))
      return bad(walk, number, "is of another kind");
    const size_t lower = load<uint16_t>(bytes.data() + 12),
                 upper = load<uint16_t>(bytes.data() + 14);
    if (lower < k_header || lower % 2 != 0 || lower > upper || upper > meta_.page_size)
      return bad(walk, number, "damaged header");
    const size_t count = (lower - k_header) / 2;
    if (count == 0 || (!leaf && count < 2)) return bad(walk, number, "too few nodes");
    (leaf ? walk.totals.leaf : walk.totals.branch) += 1;

    std::vector<Node> nodes;
    for (size_t i = 0; i < count; ++i) {
      std::optional<Node> node = parse_node(bytes, i, upper, leaf, walk.integers);
      if (!node) return bad(walk, number, "damaged node " + std::to_string(i));
      nodes.push_back(*node);
    }
    for (size_t i = 0; i < count; ++i) {
      const bool implied = !leaf && i == 0;  // the first key of a branch is not looked at
      if (!implied &&
          ((i > (leaf ? 0U : 1U) && compare(walk, nodes[i - 1].key, nodes[i].key) >= 0) ||
           (!low.empty() && compare(walk, nodes[i].key, low) < 0) ||
           (high && compare(walk, nodes[i].key, *high) >= 0)))
        return bad(walk, number, "key out of order");
    }
    bool sound = true;
    for (size_t i = 0; i < count; ++i) {
      if (leaf) {
        sound = row(walk, number, nodes[i]) && sound;
        continue;
      }
      const std::optional<std::string_view> end =
          i + 1 < count ? std::optional(nodes[i + 1].key) : high;
      sound = page(walk, nodes[i].number, depth + 1, i == 0 ? low : nodes[i].key, end) && sound;
    }
    return sound;
  }

  std::optional<Node> parse_node(const std::vector<char>& bytes, size_t index, size_t upper,
                                 bool leaf, bool integers) const {
    const size_t offset = load<uint16_t>(bytes.data() + k_header + 2 * index);
    if (offset < upper || offset % 2 != 0 || offset + k_node_header > bytes.size())
      return std::nullopt;
    const char* at = bytes.data() + offset;
    Node node;
    node.number = load<uint16_t>(at) | uint64_t{load<uint16_t>(at + 2)} << 16;
    node.flags = load<uint16_t>(at + 4);
    const size_t key_size = load<uint16_t>(at + 6);
    size_t left = bytes.size() - offset - k_node_header;
    if (key_size > left || key_size > k_longest_key) return std::nullopt;
    node.key = {at + k_node_header, key_size};
    left -= key_size;
    const bool needs_key = leaf || index > 0;
    if (needs_key && (integers ? key_size != 8 : key_size == 0)) return std::nullopt;
    if (!leaf) {
      node.number |= uint64_t{node.flags} << 32;
      return node;
    }
    if ((node.flags & ~(k_node_big | k_node_table)) != 0) return std::nullopt;
    const size_t here = (node.flags & k_node_big) != 0 ? 8 : static_cast<size_t>(node.number);
    if (here > left) return std::nullopt;
    node.data = {at + k_node_header + key_size, here};
    return node;
  }

  bool row(Tree& walk, uint64_t number, const Node& node) {
    ++walk.totals.entries;
    const bool is_main = &walk.root == &meta_.main;
    if (((node.flags & k_node_table) != 0) != is_main)
      return bad(walk, number, "row of another kind");
    if ((node.flags & k_node_big) != 0) {
      if (is_main) return bad(walk, number, "row of another kind");
      return big(walk, number, node);
    }
    if (is_main) {
      if (node.data.size() != k_tree_root_size) return bad(walk, number, "damaged table");
      if (!into_tables_ && node.key != k_table_names[0]) return true;
      const TreeRoot root = parse_tree_root(reinterpret_cast<const uint8_t*>(node.data.data()));
      tree(root, "table " + std::string(node.key), 0);
      return true;
    }
    return walk.integers ? free_list(walk, number, std::string(node.data)) : true;
  }

  // Data on pages of its own; more than it needs, where it has become shorter in one transaction.
  bool big(Tree& walk, uint64_t number, const Node& node) {
    const auto first = load<uint64_t>(node.data.data());
    const uint64_t needed = (k_header - 1 + node.number) / meta_.page_size + 1;
    char header[k_header];
    if (first > meta_.last_page || !read(first, header, sizeof header) ||
        load<uint64_t>(header) != first || load<uint16_t>(header + 10) != k_overflow)
      return bad(walk, number, "damaged row");
    const uint64_t pages = load<uint32_t>(header + 12);
    if (pages < needed) return bad(walk, first, "is too short");
    if (!take(walk, first, pages)) return false;
    walk.totals.overflow += pages;
    if (!walk.integers) return true;
    std::string data(node.number, '\0');
    const auto offset = static_cast<off_t>(first * meta_.page_size + k_header);
    if (::pread(file_, data.data(), data.size(), offset) != static_cast<ssize_t>(data.size()))
      return bad(walk, first, "cannot be read");
    return free_list(walk, number, data);
  }

  bool free_list(const Tree& walk, uint64_t number, const std::string& data) {
    const size_t words = data.size() / 8;
    if (words == 0 || data.size() % 8 != 0 || load<uint64_t>(data.data()) + 1 > words)
      return bad(walk, number, "damaged list");
    const auto count = load<uint64_t>(data.data());
    for (uint64_t i = 1; i <= count; ++i) free_.push_back(load<uint64_t>(data.data() + 8 * i));
    return true;
  }

  int file_;
  const MetaPage& meta_;
  const std::function<void(const std::string&)>& problem_;
  bool into_tables_ = true;
  uint64_t pages_ = 0;  // whole ones in the file
  std::vector<bool> used_;
  std::vector<uint64_t> free_;
};

}  // namespace

void check_pages(int data_file, const MetaPage& meta,
                 const std::function<void(const std::string&)>& problem) {
  PageCheck(data_file, meta, problem).run();
}

void check_table_list(int data_file, const MetaPage& meta,
                      const std::function<void(const std::string&)>& problem) {
  PageCheck(data_file, meta, problem).run_table_list();
}

}  // namespace fabric::store
