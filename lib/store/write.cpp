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

Status put_payload(Txn& txn, const Key& key, const std::string& payload, record::Task& record) {
  if (payload.size() <= k_inline_payload) {
    record.set_payload(payload);
    return {};
  }
  record.set_payload_bytes(payload.size());
  return txn.put(Table::payloads, key, make_value(Table::payloads, key, payload));
}

// Every row that follows from a record.
struct Rows {
  Rows(uint64_t number, const record::Task& record)
      : sequence(number),
        place(place_of(number, record)),
        lane(lane_of(record)),
        timer(timer_of(record)),
        dead(record.dead()) {
    if (waits_for_exclusive(record)) exclusive = exclusive_waiter_key(number, record);
  }
  uint64_t sequence;
  Place place;
  Lane lane;
  int64_t timer;
  bool dead;
  std::string exclusive;
};

Status put_place(Txn& txn, const Rows& rows) {
  if (rows.place.table == Table::ready) txn.ready_changed(rows.lane, 1);
  return txn.put(rows.place.table, rows.place.key, {});
}

Status erase_place(Txn& txn, const Rows& rows) {
  if (rows.place.table == Table::ready) txn.ready_changed(rows.lane, -1);
  return txn.erase(rows.place.table, rows.place.key);
}

Status put_others(Txn& txn, const Rows& rows) {
  if (rows.timer != 0) TRY_STATUS(txn.put(Table::timers, timer_key(rows.timer, rows.sequence), {}));
  if (rows.dead) TRY_STATUS(txn.put(Table::dead, task_key(rows.sequence), {}));
  if (!rows.exclusive.empty()) TRY_STATUS(txn.put(Table::exclusive, rows.exclusive, {}));
  return {};
}

Status erase_others(Txn& txn, const Rows& rows) {
  if (rows.timer != 0) TRY_STATUS(txn.erase(Table::timers, timer_key(rows.timer, rows.sequence)));
  if (rows.dead) TRY_STATUS(txn.erase(Table::dead, task_key(rows.sequence)));
  if (!rows.exclusive.empty()) TRY_STATUS(txn.erase(Table::exclusive, rows.exclusive));
  return {};
}

Status add_rows(Txn& txn, uint64_t sequence, const record::Task& record) {
  const Rows rows(sequence, record);
  TRY_STATUS(put_place(txn, rows));
  return put_others(txn, rows);
}

Status change_rows(Txn& txn, const Rows& before, const Rows& after) {
  if (!(before.place == after.place)) {
    TRY_STATUS(erase_place(txn, before));
    TRY_STATUS(put_place(txn, after));
  }
  if (before.timer == after.timer && before.dead == after.dead &&
      before.exclusive == after.exclusive)
    return {};
  TRY_STATUS(erase_others(txn, before));
  return put_others(txn, after);
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
  if (agent == 0 && (!task.agent.empty() || task.lane.queue == 0))
    return fail(ErrorCode::not_found, "there is no agent '" + task.agent + "'");
  std::vector<uint64_t> dependencies = open_dependencies;
  std::sort(dependencies.begin(), dependencies.end());
  dependencies.erase(std::unique(dependencies.begin(), dependencies.end()), dependencies.end());
  if (task.lane.queue == 0)
    task.lane = {agent, TRY(number_of(NameKind::share, task.share)), task.priority, 0};

  const uint64_t sequence = txn.next.task;
  const Key key = task_key(sequence);
  TRY_STATUS(claim_id(txn, task, key));
  task.sequence = sequence;
  task.waiting_on = static_cast<uint32_t>(dependencies.size());
  if (task.waiting_on > 0 && task.reason == Reason::queued) task.reason = Reason::dependency;
  ++txn.next.task;

  record::Task& record = txn.task_record;
  record.Clear();
  put_task(task, record);
  record.set_agent_number(agent);
  TRY_STATUS(put_payload(txn, key, task.payload, record));
  TRY_STATUS(txn.put_record(Table::tasks, key, record, MDB_APPEND));
  TRY_STATUS(add_rows(txn, sequence, record));
  if (!task.group.empty()) TRY_STATUS(txn.put(Table::groups, text_key(task.group, key), {}));
  txn.count(counted_under(record), task.state, 1);
  return add_edges(txn, sequence, dependencies);
}

Status WriteTxn::save_task(const Task& task) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  record::Task& record = txn.task_record;
  if (!TRY(txn.load_task(task.sequence, record))) return fail_no_task(task.sequence);
  if (record.id() != task.id)
    return fail(ErrorCode::failed, "task '" + task.id + "' is not the one with sequence " +
                                       std::to_string(task.sequence));
  const Rows before(task.sequence, record);
  const auto old_state = static_cast<TaskState>(record.state());
  const uint32_t old_counted = counted_under(record);
  if (old_state == TaskState::running && task.state != TaskState::running)
    txn.ended_attempts.push_back(record.attempt_id());
  // Agents come and go; that of a task stays the one it had, unless it goes to another.
  if (record.agent() != task.agent) {
    const uint32_t agent = task.agent.empty() ? 0 : TRY(txn.agent_number(task.agent));
    if (agent == 0 && !task.agent.empty())
      return fail(ErrorCode::not_found, "there is no agent '" + task.agent + "'");
    record.set_agent_number(agent);
  }
  put_task(task, record);
  TRY_STATUS(txn.put_record(Table::tasks, task_key(task.sequence), record));
  TRY_STATUS(change_rows(txn, before, Rows(task.sequence, record)));
  const uint32_t counted = counted_under(record);
  if (task.state != old_state || counted != old_counted) {
    txn.count(old_counted, old_state, -1);
    txn.count(counted, task.state, 1);
  }
  return {};
}

Status WriteTxn::save_payload(uint64_t sequence, const std::string& payload) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  record::Task& record = txn.task_record;
  const Key key = task_key(sequence);
  if (!TRY(txn.load_task(sequence, record))) return fail_no_task(sequence);
  TRY_STATUS(txn.erase(Table::payloads, key));
  TRY_STATUS(put_payload(txn, key, payload, record));
  return txn.put_record(Table::tasks, key, record);
}

Status WriteTxn::remove_task(uint64_t sequence) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  record::Task& record = txn.task_record;
  if (!TRY(txn.load_task(sequence, record))) return fail_no_task(sequence);
  const auto state = static_cast<TaskState>(record.state());
  if (!is_terminal(state))
    return fail(ErrorCode::failed, "task '" + record.id() + "' has not ended");
  const Rows rows(sequence, record);
  TRY_STATUS(erase_place(txn, rows));
  TRY_STATUS(erase_others(txn, rows));
  if (!record.group().empty())
    TRY_STATUS(txn.erase(Table::groups, text_key(record.group(), task_key(sequence))));
  for (const Attempt& attempt : TRY(attempts(sequence)))
    TRY_STATUS(txn.erase(Table::attempts, attempt_key(sequence, attempt.number, attempt.late)));
  for (const std::string& id : record.depends_on())
    if (auto found = TRY(txn.get(Table::task_ids, id)); found && found->size() == 8)
      TRY_STATUS(txn.erase(Table::edges, edge_key(number_at(*found, 0, 8), sequence)));
  for (uint64_t dependent : TRY(dependents(sequence)))
    TRY_STATUS(txn.erase(Table::edges, edge_key(sequence, dependent)));
  TRY_STATUS(txn.erase(Table::task_ids, record.id()));
  for (Table table : {Table::payloads, Table::results, Table::tasks})
    TRY_STATUS(txn.erase(table, task_key(sequence)));
  txn.count(counted_under(record), state, -1);
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
