// SPDX-License-Identifier: Apache-2.0
// Model <-> record. put_* lays the model over a record that may hold more than this version knows;
// get_* refuses what the model cannot say.
#pragma once

#include "base/result.hpp"
#include "model/agent.hpp"
#include "model/event.hpp"
#include "model/pause.hpp"
#include "model/recurring.hpp"
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

// Everything but number and late, which are in the key.
void put_attempt(const Attempt& attempt, record::Attempt& record);
Result<Attempt> get_attempt(const record::Attempt& record);

// Everything but sequence (the key).
void put_event(const Event& event, record::Event& record);
Result<Event> get_event(const record::Event& record);

// Everything but agent_number and sequence, which are the key.
void put_violation(const Violation& violation, record::Violation& record);
Result<Violation> get_violation(const record::Violation& record);

void put_recurring(const Recurring& recurring, record::Recurring& record);
Result<Recurring> get_recurring(const record::Recurring& record);

void put_pauses(const std::vector<Pause>& pauses, record::Pauses& record);
Result<std::vector<Pause>> get_pauses(const record::Pauses& record);

void put_agent(const Agent& agent, record::Agent& record);
Result<Agent> get_agent(const record::Agent& record);

void put_counts(const TaskCounts& counts, record::Counts& record);
TaskCounts get_counts(const record::Counts& record);

void put_supervisor(const SupervisorRecord& supervisor, record::Supervisor& record);
SupervisorRecord get_supervisor(const record::Supervisor& record);

}  // namespace fabric::store
