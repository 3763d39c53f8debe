// SPDX-License-Identifier: Apache-2.0
// What calls that change a pending task answer with.
#pragma once

#include <string>

#include "base/json.hpp"

namespace fabric::cmd {

struct TaskReply {
  std::string id, agent, state, priority;
  std::string retry_of;  // of `fabric retry`
};
TaskReply decode_task_reply(const json::Value& answer);

}  // namespace fabric::cmd
