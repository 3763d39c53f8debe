// SPDX-License-Identifier: Apache-2.0
// Why a task does not run now, or where it went: for people. Pure over a transaction, and what a
// Dispatcher has read from it.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/store.hpp"
#include "supervisor/dispatcher.hpp"

namespace fabric {

struct Explanation {
  struct Reason {
    std::string
        kind;  // one word: dependency, not_before, exclusive, paused, agent_slots, turn, ...
    std::string text;
  };
  Task task;
  std::vector<Reason> reasons;  // the most important first
  std::string next;             // what to type, or ""
};

// `supervised`: whether a supervisor runs, without which nothing starts.
Result<Explanation> explain(const store::ReadTxn& txn, const DispatchRules& rules,
                            std::string_view id, bool supervised, const Clock& clock);

}  // namespace fabric
