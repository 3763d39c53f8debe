// SPDX-License-Identifier: Apache-2.0
// Tasks as anybody may submit them. What is accepted keeps every promise of the format.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/id.hpp"
#include "base/json.hpp"
#include "scheduler/dependencies.hpp"
#include "scheduler/task_lines.hpp"

using namespace fabric;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // The first line names the request.
  size_t end = text.find('\n');
  TaskLineContext context;
  context.request_id = std::string(text.substr(0, end));
  if (!is_valid_id(context.request_id)) context.request_id = make_uuid7();
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  Result<std::vector<Task>> tasks = parse_task_lines(text, context);
  if (!tasks) {
    require(tasks.error().code == ErrorCode::usage && !tasks.error().message.empty());
    return 0;
  }
  for (const Task& task : *tasks) {
    require(is_valid_id(task.id) && is_valid_id(task.agent));
    require(task.timeout.ns >= 0 && task.type.size() <= k_max_type);
    require(task.payload.size() <= k_max_payload && json::validate(task.payload).has_value());
    require(task.depends_on.size() <= k_max_dependencies);
    for (const std::string& id : task.depends_on) require(is_valid_id(id));
  }
  Result<std::vector<size_t>> order = order_by_dependency(*tasks);
  if (order) require(order->size() == tasks->size());
  return 0;
}
