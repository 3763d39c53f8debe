// SPDX-License-Identifier: Apache-2.0
// LMDB's return codes in our words.
#pragma once

#include <string>

#include "base/result.hpp"

namespace fabric::store {

[[nodiscard]] bool is_disk_full(int rc);
[[nodiscard]] tl::unexpected<Error> fail_lmdb(int rc, const std::string& what);

}  // namespace fabric::store
