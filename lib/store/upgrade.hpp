// SPDX-License-Identifier: Apache-2.0
// Stores of older schemas (docs/store-format.md) are rewritten when they are first opened.
#pragma once

#include <string>

#include "base/result.hpp"
#include "store/store.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {

// To k_schema_version. Refused while another process owns the workspace.
Status upgrade(Store& store, const std::string& directory);

}  // namespace fabric::store
