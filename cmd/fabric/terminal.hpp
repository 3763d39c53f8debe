// SPDX-License-Identifier: Apache-2.0
// What stdout and stderr are connected to, and what may therefore be done with them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fabric::cmd {

enum class Stream : int { out = 1, err = 2 };

[[nodiscard]] bool is_terminal(Stream stream);
// Columns of stdout: COLUMNS when set, else the terminal's; 0 when it is no terminal, where lines
// are never cut.
[[nodiscard]] size_t terminal_width();
// A terminal, without NO_COLOR, and not TERM=dumb.
[[nodiscard]] bool has_colour(Stream stream);

enum class Colour : int {
  none = 0,
  bold = 1,
  dim = 2,
  red = 31,
  green = 32,
  yellow = 33,
  cyan = 36
};
// `text` in that colour where stdout shows colours, else as it is.
std::string coloured(std::string_view text, Colour colour, Stream stream = Stream::out);

// Opens /dev/null in place of standard descriptors that are closed, so that no file of ours lands
// on a number that output goes to. Writing to a stdout that was closed still fails.
void reserve_standard_descriptors();

// One line on stderr that is rewritten in place; nothing at all unless stderr is a terminal.
// Erased by its destructor.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::string_view line);

 private:
  bool active_;
  bool shown_ = false;
};

}  // namespace fabric::cmd
