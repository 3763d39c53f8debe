// SPDX-License-Identifier: Apache-2.0
// Stores of released versions, checked in under tests/fixtures.
#pragma once

#include "store/records.pb.h"
#include "store/value.hpp"
#include "tests/unit/store/helpers.hpp"

namespace fabric::store::test {

inline void copy_fixture(const TempDir& dir, const std::string& version) {
  std::filesystem::create_directory(dir.store());
  std::filesystem::permissions(dir.store(), std::filesystem::perms{0700});
  std::filesystem::copy_file(
      std::string(FABRIC_TEST_DATA) + "/fixtures/store-" + version + "/data.mdb",
      dir.store() + "/data.mdb");
}

}  // namespace fabric::store::test
