// SPDX-License-Identifier: Apache-2.0
// The rules of egress of an agent that lives, in one transaction.
#pragma once

#include <string>

#include "base/json.hpp"
#include "base/result.hpp"
#include "store/store.hpp"
#include "supervisor/operations.hpp"

namespace fabric::operations {

// {"id", "egress", "given"}: all rules, and those of them that are no file's
// -> {"id", "egress", "added", "removed", "effect"}: now, new_sandbox, next_start or none
Result<std::string> change_egress(const json::Value& params, store::WriteTxn& txn,
                                  Context& context);

}  // namespace fabric::operations
