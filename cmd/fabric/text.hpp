// SPDX-License-Identifier: Apache-2.0
// Text for people: made safe for a terminal, measured in columns, split and joined.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fabric::cmd {

// On one line, and unable to drive a terminal: control characters (C0, DEL, C1) become ^X or a
// replacement, as do bytes that are not UTF-8 and characters that reorder text.
std::string printable(std::string_view text);
// The same, but line feeds and tabs stay.
std::string printable_lines(std::string_view text);

// Columns that printable text takes on a terminal.
size_t display_width(std::string_view text);
// At most `width` columns, ending with "…" when something was cut off.
std::string fit(std::string_view text, size_t width);

std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string_view>& parts, std::string_view separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Lines of at most `width` columns, each starting with `indent` spaces (as far as words allow).
std::string wrap(std::string_view text, size_t width, size_t indent);

// "1 task", "3 tasks".
std::string count_of(size_t n, std::string_view noun);

}  // namespace fabric::cmd
