// SPDX-License-Identifier: Apache-2.0
// A table for people: aligned columns, one row per thing. On a terminal it fits the width (the
// widest columns that may shrink give way); elsewhere nothing is cut.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fabric/terminal.hpp"

namespace fabric::cmd {

enum class Align : int { left, right };

struct Column {
  std::string_view title;
  Align align = Align::left;
  size_t smallest = 0;  // may shrink to this many columns; 0: never shrinks
};

struct Cell {
  Cell(std::string cell_text,
       Colour cell_colour = Colour::none)  // NOLINT: cells are written as text
      : text(std::move(cell_text)), colour(cell_colour) {}
  std::string text;  // made printable by the table
  Colour colour;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as there are columns; an empty cell is shown as "-".
  void add(std::vector<Cell> row);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // `width` 0: no limit.
  [[nodiscard]] std::string to_text(size_t width) const;

 private:
  [[nodiscard]] std::vector<size_t> widths(size_t limit) const;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Key and value, one a line, the keys padded to the same width.
class Facts {
 public:
  void add(std::string_view key, const std::string& value, Colour colour = Colour::none);
  [[nodiscard]] std::string to_text() const;

 private:
  struct Fact {
    std::string key;
    std::string value;
    Colour colour;
  };
  std::vector<Fact> facts_;
};

}  // namespace fabric::cmd
