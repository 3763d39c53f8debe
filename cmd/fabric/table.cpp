// SPDX-License-Identifier: Apache-2.0
#include "fabric/table.hpp"

#include <algorithm>
#include <numeric>

#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

constexpr size_t k_gap = 2;

std::string padded(const std::string& text, size_t width, Align align, bool last) {
  const size_t missing = width - std::min(width, display_width(text));
  if (align == Align::right) return std::string(missing, ' ') + text;
  return last ? text : text + std::string(missing, ' ');
}

}  // namespace

void Table::add(std::vector<Cell> row) {
  for (Cell& cell : row) cell.text = cell.text.empty() ? "-" : printable(cell.text);
  rows_.push_back(std::move(row));
}

std::vector<size_t> Table::widths(size_t limit) const {
  std::vector<size_t> width(columns_.size());
  for (size_t c = 0; c < columns_.size(); ++c) {
    width[c] = display_width(columns_[c].title);
    for (const auto& row : rows_) width[c] = std::max(width[c], display_width(row[c].text));
  }
  if (limit == 0) return width;
  const size_t gaps = k_gap * (columns_.size() - 1);
  while (std::accumulate(width.begin(), width.end(), gaps) > limit) {
    size_t widest = columns_.size();
    for (size_t c = 0; c < columns_.size(); ++c) {
      const bool can_shrink = columns_[c].smallest != 0 && width[c] > columns_[c].smallest;
      if (can_shrink && (widest == columns_.size() || width[c] > width[widest])) widest = c;
    }
    if (widest == columns_.size()) break;  // narrower than the table can be: let it wrap
    --width[widest];
  }
  return width;
}

std::string Table::to_text(size_t width_limit) const {
  const std::vector<size_t> width = widths(width_limit);
  std::string out;
  const size_t last = columns_.size() - 1;
  for (size_t c = 0; c <= last; ++c) {
    const std::string title = fit(columns_[c].title, width[c]);
    out += coloured(padded(title, width[c], columns_[c].align, c == last), Colour::dim);
    out += c == last ? "\n" : std::string(k_gap, ' ');
  }
  for (const auto& row : rows_) {
    for (size_t c = 0; c <= last; ++c) {
      const std::string text = fit(row[c].text, width[c]);
      out += coloured(padded(text, width[c], columns_[c].align, c == last), row[c].colour);
      out += c == last ? "\n" : std::string(k_gap, ' ');
    }
  }
  return out;
}

void Facts::add(std::string_view key, const std::string& value, Colour colour) {
  facts_.push_back({std::string(key), printable(value), colour});
}

std::string Facts::to_text() const {
  size_t width = 0;
  for (const Fact& fact : facts_) width = std::max(width, fact.key.size());
  std::string out;
  for (const Fact& fact : facts_)
    out += coloured(fact.key, Colour::dim) + std::string(width - fact.key.size() + k_gap, ' ') +
           coloured(fact.value, fact.colour) + "\n";
  return out;
}

}  // namespace fabric::cmd
