// SPDX-License-Identifier: Apache-2.0
// Agents and tasks as people see them: gathered, and put into tables.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "fabric/json_views.hpp"
#include "fabric/session.hpp"
#include "fabric/table.hpp"

namespace fabric::cmd {

// Empty when no supervisor runs. One that runs and does not answer is waited for a little, and the
// user is told.
LiveUsageList live_usage(const config::Workspace& workspace);

Result<AgentView> view_of(const store::ReadTxn& txn, Agent agent, const LiveUsageList& usage);
Result<std::vector<AgentView>> all_agents(const store::ReadTxn& txn, const LiveUsageList& usage);

std::string agents_table(const std::vector<AgentView>& agents);
std::string agent_facts(const AgentView& view, WallTime now);
std::string tasks_table(const std::vector<Task>& tasks, WallTime now);
std::string recurring_table(const std::vector<Recurring>& recurring, WallTime now);
std::string recurring_facts(const Recurring& recurring, WallTime now);
Result<TaskDetail> detail_of(const store::ReadTxn& txn, Task task, WallTime now);
std::string task_facts(const TaskDetail& detail, WallTime now);

// "12 pending, 3 running, 190 completed": zeros are left out; "empty" when all are.
std::string counts_in_words(const TaskCounts& counts);
Colour colour_of(TaskState state);
Colour colour_of(AgentState state);
// "failed: exit code 3", "pending: waits for 2 tasks".
std::string state_in_words(const Task& task);
// What its sandbox denied it, where that is the likely cause of its end; else "".
std::string likely_cause(const Task& task);
// How long its last attempt took, or has taken so far; "" when it did not start.
std::string took(const Task& task, WallTime now);
// "team=web env=prod"
std::string pairs_in_words(const Metadata& pairs);

}  // namespace fabric::cmd
