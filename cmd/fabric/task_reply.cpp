// SPDX-License-Identifier: Apache-2.0
#include "fabric/task_reply.hpp"

namespace fabric::cmd {

TaskReply decode_task_reply(const json::Value& answer) {
  const auto text = [&](std::string_view key) {
    return std::string(json::get_string(answer, key).value_or(""));
  };
  return {text("id"), text("agent"), text("state"), text("priority"), {}};
}

}  // namespace fabric::cmd
