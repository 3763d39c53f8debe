// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>

#include "base/size.hpp"

using namespace fabric;

TEST_CASE("sizes are bytes with binary suffixes") {
  CHECK(parse_size("4096").value() == 4096);
  CHECK(parse_size("0").value() == 0);
  CHECK(parse_size("512M").value() == 536870912);
  CHECK(parse_size("1.5G").value() == 1610612736);
  CHECK(parse_size("64KiB").value() == 65536);
  CHECK(parse_size("64kb").has_value() == false);
  CHECK(parse_size("64kB").value() == 65536);
  CHECK(parse_size("7B").value() == 7);
  CHECK(parse_size("1T").value() == uint64_t{1} << 40);
  CHECK(parse_size("9007199254740993").value() == 9007199254740993);
}

TEST_CASE("what is no size is refused") {
  for (const char* text : {"", "M", "-1", "+1", "1X", "1 M", "1Mi", "1MM", "0.3", "inf", "nan",
                           "1e3", "99999999999999999999", "9000P", "0x10", "1.5.5M"})
    CHECK_FALSE(parse_size(text));
}

TEST_CASE("size_to_string reads back exactly") {
  CHECK(size_to_string(536870912) == "512M");
  CHECK(size_to_string(1000) == "1000");
  CHECK(size_to_string(0) == "0");
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const uint64_t bytes = random() >> (2 + random() % 61);
    INFO(bytes);
    CHECK(parse_size(size_to_string(bytes)).value() == bytes);
  }
}

TEST_CASE("sizes for people") {
  CHECK(human_size(512) == "512 B");
  CHECK(human_size(536870912) == "512.0 MiB");
  CHECK(human_size(UINT64_MAX).ends_with("PiB"));
}
