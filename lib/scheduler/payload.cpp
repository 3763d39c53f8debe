// SPDX-License-Identifier: Apache-2.0
#include "scheduler/payload.hpp"

#include "model/references.hpp"

namespace fabric {

Result<std::string> expand_task_references(const store::ReadTxn& txn, const Task& task) {
  const auto result_of = [&](std::string_view id) -> Result<std::string> {
    const std::optional<Task> other = TRY(txn.find_task(id));
    const std::string name(id);
    if (!other) return fail(ErrorCode::usage, "task " + name + " is not there any more");
    if (other->state != TaskState::completed)
      return fail(ErrorCode::usage,
                  "task " + name + " has no result: it is " + std::string(to_string(other->state)));
    const std::optional<TaskResult> result = TRY(txn.find_result(other->sequence));
    if (!result) return std::string();
    if (!result->whole)
      return fail(ErrorCode::usage, "the result of task " + name + " is larger than " +
                                        std::to_string(k_result_head >> 10) +
                                        " KiB, too large to be inserted");
    return result->head;
  };
  return expand_references(task.payload, result_of);
}

}  // namespace fabric
