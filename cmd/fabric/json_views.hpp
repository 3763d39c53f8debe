// SPDX-License-Identifier: Apache-2.0
// The JSON objects that commands answer with (documented in docs/json.md). Fields are only ever
// added. Timestamps are RFC 3339 in UTC; what is not known is null.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "fabric/output.hpp"
#include "model/agent.hpp"
#include "model/pause.hpp"
#include "model/recurring.hpp"
#include "model/task.hpp"
#include "supervisor/client.hpp"
#include "supervisor/usage_watch.hpp"

namespace fabric::cmd {

JsonShape task_shape();
std::string task_json(const JsonChoice& choice, const Task& task);

struct TaskDetail {
  Task task;
  std::vector<Attempt> attempts;  // earlier ones, and late answers
  std::string waits_for;          // of a pending task, in words; "": for its agent only
};
JsonShape task_detail_shape();
std::string task_detail_json(const JsonChoice& choice, const TaskDetail& detail);

JsonShape recurring_shape();
std::string recurring_json(const JsonChoice& choice, const Recurring& recurring);

struct AgentView {
  Agent agent;
  TaskCounts tasks;
  std::optional<LiveUsage> usage;                // of its living sandbox
  [[nodiscard]] AgentState shown_state() const;  // busy when it has running tasks
};
JsonShape agent_shape();
std::string agent_json(const JsonChoice& choice, const AgentView& view);

struct StatusView {
  std::string workspace;
  SupervisorStatus supervisor;
  std::vector<AgentView> agents;
  TaskCounts queue;
  // Pending tasks that nothing holds back, by level; none when counting them would take too long.
  std::optional<std::array<uint64_t, k_priority_levels>> ready;
  std::vector<Pause> pauses;
  uint64_t recurring = 0;
  uint64_t dead = 0;
};
JsonShape status_shape();
std::string status_json(const JsonChoice& choice, const StatusView& view);

struct ResultView {
  Task task;
  std::string text;
};
JsonShape result_shape();
std::string result_json(const JsonChoice& choice, const ResultView& view);

}  // namespace fabric::cmd
