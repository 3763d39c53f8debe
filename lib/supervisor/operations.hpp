// SPDX-License-Identifier: Apache-2.0
// Mutations that the supervisor and a direct command share: the very same functions over a
// transaction, so that both give the same answers and the same errors.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/store.hpp"
#include "supervisor/client.hpp"

namespace fabric::operations {

// Lines into tasks; separate from submit() so that parsing happens before the transaction.
Result<std::vector<Task>> parse(const Submission& submission);
// `touched`: agents whose queue has a new head.
Result<SubmitReply> submit(store::WriteTxn& txn, std::vector<Task> tasks, WallTime now,
                           std::vector<std::string>* touched);

struct CancelDone {
  CancelReply reply;
  Task task;  // as it is now
};
Result<CancelDone> cancel(store::WriteTxn& txn, const std::string& id, WallTime now);

}  // namespace fabric::operations
