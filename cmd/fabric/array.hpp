// SPDX-License-Identifier: Apache-2.0
// Arrays: one task for each item, made from one line with placeholders. Pure, but for reading the
// file of items.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "fabric/submission.hpp"

namespace fabric::cmd {

constexpr uint64_t k_most_items = 1000000;
constexpr std::string_view k_placeholder = "{item}";

// "1-1000", "1-10:2" (every second), "1,5,9", "0-9,20-29": the numbers in this order, each once.
Result<std::vector<uint64_t>> parse_array(std::string_view text);

// A task line in whose payload strings and metadata values {item} stands for an item.
//
// A payload string that is the placeholder and nothing else becomes the item as JSON where the item
// is JSON, else as a string. Within a longer string, and in metadata, an item is inserted as text;
// one that is a JSON string, as the text it means. Keys stay. Spelled with an escape (\u007bitem})
// it is no placeholder.
class ItemTemplate {
 public:
  // `line` is valid: what task_line() gives.
  explicit ItemTemplate(std::string line);
  [[nodiscard]] std::string expand(const std::string& item) const;

 private:
  struct Part {
    enum class Kind : uint8_t { verbatim, text, value };
    Kind kind = Kind::verbatim;
    std::string text;  // of a verbatim part
  };
  void add_strings(std::string_view region, bool values);
  void add(size_t until);
  std::string line_;
  size_t done_ = 0;
  std::vector<Part> parts_;
};

struct ArrayOptions {
  std::string items;  // as --array takes it
  std::string line;   // without id and group
  std::string group;
};
// Its tasks have the ids GROUP.N: N is the number, or counts the lines of the file that are not
// empty.
Status for_each_array_slice(const ArrayOptions& options, size_t most_lines, const Submit& submit);

}  // namespace fabric::cmd
