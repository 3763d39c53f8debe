// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "base/nearest.hpp"

using namespace fabric;

TEST_CASE("edit distance counts slips of the hand") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "acb") == 1);
  CHECK(edit_distance("memroy_mb", "memory_mb") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("only near names are suggested") {
  const std::vector<std::string> names{"command", "kind", "model", "tools"};
  CHECK(nearest("comand", names) == "command");
  CHECK(nearest("kidn", names) == "kind");
  CHECK(nearest("modle", names) == "model");
  CHECK(nearest("budget", names).empty());
  CHECK(nearest("", names).empty());
  CHECK(nearest(std::string(100000, 'x'), names).empty());
}
