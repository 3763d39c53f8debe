// SPDX-License-Identifier: Apache-2.0
// The part of explain.hpp about tasks that wait.
#pragma once

#include "supervisor/explain.hpp"

namespace fabric {

// Adds the reasons why out.task, which is pending, does not run now.
Status explain_pending(const store::ReadTxn& txn, const DispatchRules& rules, bool supervised,
                       const Clock& clock, Explanation& out);

}  // namespace fabric
