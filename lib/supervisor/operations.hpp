// SPDX-License-Identifier: Apache-2.0
// Mutations that the supervisor and a direct command share: the very same functions over a
// transaction, so that both give the same answers and the same errors.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"
#include "store/store.hpp"
#include "supervisor/client.hpp"
#include "supervisor/dispatcher.hpp"

namespace fabric::operations {

// Lines into tasks; separate from submit() so that parsing happens before the transaction.
Result<std::vector<Task>> parse(const Submission& submission);
Result<SubmitReply> submit(store::WriteTxn& txn, std::vector<Task> tasks, WallTime now,
                           const SchedulerRules& rules);

// What a call may need beyond its transaction, and what it leaves to do after the commit.
struct Context {
  WallTime now;
  Dispatcher& dispatcher;
  std::vector<Task> to_stop;  // running tasks whose stop is due
  bool supervised = false;    // else nobody can tell a sandbox that lives
  // Agents whose rules of egress are others now; `renew`: only a new sandbox can follow them.
  struct NewRules {
    std::string agent;
    std::vector<std::string> egress, given;
    bool renew = false;
  };
  std::vector<NewRules> new_rules = {};
};

// The calls of the control protocol that are one transaction (queue_operations.cpp lists them, with
// their parameters and results). The result is JSON.
[[nodiscard]] bool is_known(std::string_view method);
Result<std::string> perform(std::string_view method, const json::Value* params,
                            store::WriteTxn& txn, Context& context);

// What the configuration says to the scheduler.
DispatchRules rules_of(const config::Settings& settings);

}  // namespace fabric::operations
