// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "base/users.hpp"

using namespace fabric;

TEST_CASE("root has a name, a home and a group") {
  const auto root = find_user(0);
  REQUIRE(root);
  CHECK(root->name == "root");
  CHECK(root->home == "/root");
  CHECK(root->gid == 0);
  const auto group = find_group(0);
  REQUIRE(group);
  CHECK(group->name == "root");
}

TEST_CASE("who is known to nobody is nobody, however often one asks") {
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(find_user(3999999999U));
    CHECK_FALSE(find_group(3999999999U));
  }
}
