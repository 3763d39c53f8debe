// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cerrno>
#include <memory>

#include "base/result.hpp"

using namespace fabric;

namespace {

Result<int> number(bool good) {
  if (!good) return fail(ErrorCode::not_found, "no number", "write one");
  return 7;
}
Result<int> doubled(bool good) { return TRY(number(good)) * 2; }
Status checked(bool good) {
  TRY_STATUS(number(good).map([](int) {}));
  return {};
}

}  // namespace

TEST_CASE("TRY gives the value or returns the error") {
  CHECK(doubled(true).value() == 14);
  REQUIRE_FALSE(doubled(false));
  CHECK(doubled(false).error().code == ErrorCode::not_found);
  CHECK(checked(true));
  CHECK(checked(false).error().hint == "write one");
}

TEST_CASE("TRY moves values that cannot be copied") {
  auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(3); };
  auto use = [&]() -> Result<std::unique_ptr<int>> { return TRY(make()); };
  CHECK(*use().value() == 3);
}

TEST_CASE("in_context puts words before the message and keeps code and hint") {
  auto result = in_context(number(false), "reading x");
  CHECK(result.error().message == "reading x: no number");
  CHECK(result.error().hint == "write one");
  CHECK(in_context(number(true), "reading x").value() == 7);
}

TEST_CASE("fail_errno says what the number means") {
  const Status status = fail_errno(ENOENT, "/x");
  CHECK(status.error().message == "/x: No such file or directory");
  CHECK(status.error().code == ErrorCode::failed);
}
