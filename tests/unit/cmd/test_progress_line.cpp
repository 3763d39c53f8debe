// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fabric/progress_line.hpp"

namespace fabric::cmd {
namespace {

TEST_CASE("progress shows how many, the rate and what is left") {
  CHECK(progress_line({100, 25, 2, 0, Duration::seconds(5)}) ==
        "[#####               ] 25 of 100, 2 failed, 5.0/s, 15.0s left");
  CHECK(progress_line({1000, 1000, 0, 0, Duration::seconds(10)}) ==
        "[####################] 1000 of 1000, 100/s");
}

TEST_CASE("nothing is said about a rate that is not known") {
  CHECK(progress_line({4, 0, 0, 0, Duration::seconds(5)}) == "[                    ] 0 of 4");
  CHECK(progress_line({4, 2, 1, 2, Duration::seconds(5)}) ==
        "[##########          ] 2 of 4, 1 failed");
  CHECK(progress_line({4, 1, 0, 0, {}}) == "[#####               ] 1 of 4");
}

TEST_CASE("it fits a terminal of 80 columns, whatever the numbers") {
  CHECK(progress_line({1000000, 999998, 999997, 999997, Duration::seconds(100000000)}).size() < 80);
}

}  // namespace
}  // namespace fabric::cmd
