// SPDX-License-Identifier: Apache-2.0
// Model <-> record. put_* lays the model over a record that may hold more than this version knows;
// get_* refuses what the model cannot say.
#pragma once

#include "base/result.hpp"
#include "model/agent.hpp"
#include "model/task.hpp"
#include "store/records.pb.h"
#include "store/store.hpp"

namespace fabric::store {

// Everything but payload and agent_number, which are fixed when the task is added.
void put_task(const Task& task, record::Task& record);
// Everything but sequence (the key) and a payload that is kept apart.
Result<Task> get_task(const record::Task& record);

void put_result(const TaskResult& result, record::TaskResult& record);
TaskResult get_result(const record::TaskResult& record);

void put_agent(const Agent& agent, record::Agent& record);
Result<Agent> get_agent(const record::Agent& record);

void put_counts(const TaskCounts& counts, record::Counts& record);
TaskCounts get_counts(const record::Counts& record);

void put_supervisor(const SupervisorRecord& supervisor, record::Supervisor& record);
SupervisorRecord get_supervisor(const record::Supervisor& record);

}  // namespace fabric::store
