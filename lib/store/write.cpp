// SPDX-License-Identifier: Apache-2.0
// Tasks: every change of a record takes its index rows and counters along.
#include <algorithm>

#include "base/id.hpp"
#include "store/codec.hpp"
#include "store/place.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

tl::unexpected<Error> fail_no_task(uint64_t sequence) {
  return fail(ErrorCode::not_found, "there is no task with sequence " + std::to_string(sequence));
}

// The row that maps the id; an id is used once.
Status claim_id(Txn& txn, const Task& task, std::string_view sequence) {
  if (TRY(txn.get(Table::task_ids, task.id)))
    return fail(ErrorCode::usage, "task '" + task.id + "' already exists");
  return txn.put(Table::task_ids, task.id, sequence);
}

Status add_edges(Txn& txn, uint64_t sequence, const std::vector<uint64_t>& dependencies) {
  for (uint64_t dependency : dependencies)
    TRY_STATUS(txn.put(Table::edges, edge_key(dependency, sequence), {}));
  return {};
}

}  // namespace

Status WriteTxn::add_task(Task& task, const std::vector<uint64_t>& open_dependencies) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  TRY_STATUS(check_id(task.id, "task id"));
  const uint32_t agent = TRY(txn.agent_number(task.agent));
  if (agent == 0) return fail(ErrorCode::not_found, "there is no agent '" + task.agent + "'");
  std::vector<uint64_t> dependencies = open_dependencies;
  std::sort(dependencies.begin(), dependencies.end());
  dependencies.erase(std::unique(dependencies.begin(), dependencies.end()), dependencies.end());

  const uint64_t sequence = txn.next.task;
  const Key key = task_key(sequence);
  TRY_STATUS(claim_id(txn, task, key));
  task.sequence = sequence;
  task.waiting_on = static_cast<uint32_t>(dependencies.size());
  ++txn.next.task;

  record::Task& record = txn.task_record;
  record.Clear();
  put_task(task, record);
  record.set_agent_number(agent);
  if (task.payload.size() > k_inline_payload) {
    record.set_payload_bytes(task.payload.size());
    TRY_STATUS(txn.put(Table::payloads, key, make_value(Table::payloads, key, task.payload)));
  } else {
    record.set_payload(task.payload);
  }
  TRY_STATUS(txn.put_record(Table::tasks, key, record, MDB_APPEND));
  const Place place = place_of(sequence, record);
  TRY_STATUS(txn.put(place.table, place.key, {}));
  txn.count(agent, task.state, 1);
  return add_edges(txn, sequence, dependencies);
}

Status WriteTxn::save_task(const Task& task) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  record::Task& record = txn.task_record;
  if (!TRY(txn.load_task(task.sequence, record))) return fail_no_task(task.sequence);
  if (record.id() != task.id || record.agent() != task.agent)
    return fail(ErrorCode::failed, "task '" + task.id + "' of agent '" + task.agent +
                                       "' is not the one with sequence " +
                                       std::to_string(task.sequence));
  const auto old_state = static_cast<TaskState>(record.state());
  const Place old_place = place_of(task.sequence, record);
  put_task(task, record);
  const Place place = place_of(task.sequence, record);
  TRY_STATUS(txn.put_record(Table::tasks, task_key(task.sequence), record));
  if (!place.same_as(old_place)) {
    TRY_STATUS(txn.erase(old_place.table, old_place.key));
    TRY_STATUS(txn.put(place.table, place.key, {}));
  }
  if (task.state != old_state) {
    txn.count(record.agent_number(), old_state, -1);
    txn.count(record.agent_number(), task.state, 1);
  }
  return {};
}

Status WriteTxn::remove_task(uint64_t sequence) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  record::Task& record = txn.task_record;
  if (!TRY(txn.load_task(sequence, record))) return fail_no_task(sequence);
  const auto state = static_cast<TaskState>(record.state());
  if (!is_terminal(state))
    return fail(ErrorCode::failed, "task '" + record.id() + "' has not ended");
  const Place place = place_of(sequence, record);
  TRY_STATUS(txn.erase(place.table, place.key));
  for (const std::string& id : record.depends_on())
    if (auto found = TRY(txn.get(Table::task_ids, id)); found && found->size() == 8)
      TRY_STATUS(txn.erase(Table::edges, edge_key(number_at(*found, 0, 8), sequence)));
  for (uint64_t dependent : TRY(dependents(sequence)))
    TRY_STATUS(txn.erase(Table::edges, edge_key(sequence, dependent)));
  TRY_STATUS(txn.erase(Table::task_ids, record.id()));
  for (Table table : {Table::payloads, Table::results, Table::tasks})
    TRY_STATUS(txn.erase(table, task_key(sequence)));
  txn.count(record.agent_number(), state, -1);
  return {};
}

Status WriteTxn::save_result(uint64_t sequence, const TaskResult& result) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  const Key key = task_key(sequence);
  if (!TRY(txn.get(Table::tasks, key))) return fail_no_task(sequence);
  record::TaskResult record;
  TRY(txn.get_record(Table::results, key, record));
  put_result(result, record);
  if (result.head.size() > k_result_head) {
    record.mutable_head()->resize(k_result_head);
    record.set_cut(true);
  }
  return txn.put_record(Table::results, key, record);
}

Status WriteTxn::remove_edge(uint64_t dependency, uint64_t dependent) {
  TRY_STATUS(state_->usable());
  return state_->erase(Table::edges, edge_key(dependency, dependent));
}

}  // namespace fabric::store
