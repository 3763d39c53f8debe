// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fabric/nearest.hpp"
#include "fabric/table.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

TEST_CASE("printable text cannot drive a terminal") {
  CHECK(printable("plain äöü 漢") == "plain äöü 漢");
  CHECK(printable("a\x1b[31mb\n\t\x7f") == "a^[[31mb^J^I^?");
  CHECK(printable("\xc2\x9b") == "\xef\xbf\xbd");  // CSI in one character
  CHECK(printable("a\xff"
                  "b\xc3") ==
        "a\xef\xbf\xbd"
        "b\xef\xbf\xbd");
  CHECK(printable("\xe2\x80\xae"
                  "abc") ==
        "\xef\xbf\xbd"
        "abc");  // right-to-left override
  CHECK(printable("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // half a surrogate
  CHECK(printable_lines("a\n\tb\r") == "a\n\tb^M");
}

TEST_CASE("width counts columns, not bytes") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("äöü") == 3);
  CHECK(display_width("漢字") == 4);
  CHECK(display_width("e\xcc\x81") == 1);
}

TEST_CASE("fit cuts at characters") {
  CHECK(fit("abcdef", 6) == "abcdef");
  CHECK(fit("abcdef", 4) == "abc…");
  CHECK(fit("漢字漢字", 5) == "漢字…");
  CHECK(fit("漢字漢字", 4) == "漢…");
  CHECK(fit("abc", 0) == "");
}

TEST_CASE("a table shrinks what may shrink, and nothing without a width") {
  Table table({{"A", Align::left, 4}, {"B", Align::right}});
  table.add({std::string(30, 'x'), std::string("17")});
  table.add({std::string(""), std::string("1\n")});
  CHECK(table.to_text(0) == "A                                 B\n" + std::string(30, 'x') +
                                "   17\n" + "-" + std::string(29, ' ') + "  1^J\n");
  const std::string narrow = table.to_text(12);
  for (std::string_view line : split(narrow, '\n')) CHECK(display_width(line) <= 12);
}

TEST_CASE("the nearest name, if it is near enough") {
  const std::vector<std::string_view> names{"status", "store", "schedule", "spawn"};
  CHECK(nearest_name("stauts", names) == "status");
  CHECK(nearest_name("sched", names) == "schedule");
  CHECK(nearest_name("frobnicate", names) == "");
  CHECK(nearest_name("", names) == "");
}

TEST_CASE("words") {
  CHECK(wrap("one two three", 9, 2) == "  one two\n  three\n");
  CHECK(count_of(1, "task") == "1 task");
  CHECK(count_of(0, "task") == "0 tasks");
  CHECK(join(split("a|b|c", '|'), ", ") == "a, b, c");
}

}  // namespace
}  // namespace fabric::cmd
