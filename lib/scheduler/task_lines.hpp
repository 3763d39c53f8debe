// SPDX-License-Identifier: Apache-2.0
// Reads tasks as people and programs submit them: one JSON object a line. Pure; input is hostile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/task.hpp"

namespace fabric {

struct TaskLineContext {
  std::string request_id;  // ids of lines without one are derived from it: see derived_id
  size_t first_line = 1;
  std::string user;
  std::string correlation_id;
  std::string traceparent;
};

// One line. Without id, where it has none.
Result<Task> parse_task_line(std::string_view line);

// Empty lines are skipped. An error names the line: "line 7: unknown field 'prioritee'".
Result<std::vector<Task>> parse_task_lines(std::string_view lines, const TaskLineContext& context);

// The id of the n-th line of a request: the request's UUIDv7 plus n in its low bits, so that it
// sorts by submission and a repeated request names the same tasks. A request with a name of another
// form gives NAME.n.
std::string derived_id(const std::string& request_id, uint64_t n);

}  // namespace fabric
