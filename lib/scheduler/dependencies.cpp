// SPDX-License-Identifier: Apache-2.0
#include "scheduler/dependencies.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace fabric {
namespace {

enum class Mark : uint8_t { fresh, open, done };

struct Frame {
  size_t task;
  size_t next_dependency;
};

tl::unexpected<Error> cycle_error(const std::vector<Task>& tasks, const std::vector<Frame>& path,
                                  size_t again) {
  auto start =
      std::find_if(path.begin(), path.end(), [&](const Frame& f) { return f.task == again; });
  // A long one is told by its ends.
  constexpr std::ptrdiff_t k_named = 10;
  const std::ptrdiff_t length = path.end() - start;
  std::string cycle;
  for (auto it = start; it != path.end(); ++it) {
    const std::ptrdiff_t at = it - start;
    if (length <= 2 * k_named || at < k_named || at >= length - k_named)
      cycle += tasks[it->task].id + " -> ";
    else if (at == k_named)
      cycle += "(" + std::to_string(length - 2 * k_named) + " more) -> ";
  }
  return fail(ErrorCode::usage, "dependency cycle: " + cycle + tasks[again].id,
              "each task of a cycle waits for the next: remove one depends_on");
}

}  // namespace

Result<std::vector<size_t>> order_by_dependency(const std::vector<Task>& tasks) {
  std::vector<size_t> order;
  order.reserve(tasks.size());
  bool any =
      std::any_of(tasks.begin(), tasks.end(), [](const Task& t) { return !t.depends_on.empty(); });
  if (!any) {
    for (size_t i = 0; i < tasks.size(); ++i) order.push_back(i);
    return order;
  }
  std::unordered_map<std::string_view, size_t> by_id;
  for (size_t i = 0; i < tasks.size(); ++i) by_id.emplace(tasks[i].id, i);
  // Depth first without recursion: a hostile chain of 100,000 must not overflow the stack.
  std::vector<Mark> marks(tasks.size(), Mark::fresh);
  std::vector<Frame> path;
  for (size_t root = 0; root < tasks.size(); ++root) {
    if (marks[root] != Mark::fresh) continue;
    path.push_back({root, 0});
    marks[root] = Mark::open;
    while (!path.empty()) {
      Frame& top = path.back();
      const Task& task = tasks[top.task];
      if (top.next_dependency == task.depends_on.size()) {
        marks[top.task] = Mark::done;
        order.push_back(top.task);
        path.pop_back();
        continue;
      }
      auto found = by_id.find(task.depends_on[top.next_dependency++]);
      if (found == by_id.end() || marks[found->second] == Mark::done) continue;
      if (marks[found->second] == Mark::open) return cycle_error(tasks, path, found->second);
      marks[found->second] = Mark::open;
      path.push_back({found->second, 0});
    }
  }
  return order;
}

}  // namespace fabric
