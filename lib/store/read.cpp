// SPDX-License-Identifier: Apache-2.0
// Reading tasks. An index row is believed only as far as the record it names agrees.
#include <algorithm>

#include "store/codec.hpp"
#include "store/place.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

bool matches(const record::Task& task, const TaskFilter& filter) {
  return (!filter.state || task.state() == static_cast<uint32_t>(*filter.state)) &&
         (filter.agent.empty() || task.agent() == filter.agent) &&
         (filter.type.empty() || task.type() == filter.type) &&
         (filter.group.empty() || task.group() == filter.group) && (!filter.dead || task.dead()) &&
         std::all_of(filter.metadata.begin(), filter.metadata.end(), [&](const auto& wanted) {
           return std::any_of(task.metadata().begin(), task.metadata().end(),
                              [&](const record::Pair& pair) {
                                return pair.key() == wanted.first && pair.value() == wanted.second;
                              });
         });
}

// The rows that lead to what may match, where an index is shorter than all tasks; else nullopt.
Result<std::optional<std::vector<uint64_t>>> indexed(const Txn& txn, const TaskFilter& filter) {
  std::vector<uint64_t> sequences;
  const TaskCounts counts = TRY(txn.counts(0));
  // From about this many on, going through all tasks, newest first, ends sooner.
  constexpr uint64_t k_few = 20000;
  if (filter.dead) {
    TRY_STATUS(collect(txn, Table::dead, {}, k_no_limit, sequences));
  } else if (!filter.group.empty()) {
    TRY_STATUS(collect(txn, Table::groups, text_key(filter.group, {}), k_no_limit, sequences));
  } else if (filter.state == TaskState::pending && counts.pending < k_few) {
    TRY_STATUS(collect(txn, Table::ready, {}, k_no_limit, sequences));
    TRY_STATUS(collect(txn, Table::waiting, {}, k_no_limit, sequences));
  } else if (filter.state == TaskState::running && counts.running < k_few) {
    TRY_STATUS(collect(txn, Table::running, {}, k_no_limit, sequences));
  } else {
    return std::optional<std::vector<uint64_t>>{};
  }
  std::sort(sequences.begin(), sequences.end(), std::greater<>());
  return std::optional(std::move(sequences));
}

}  // namespace

Result<std::optional<Task>> ReadTxn::find_task(uint64_t sequence) const {
  TRY_STATUS(state_->usable());
  record::Task& record = state_->task_record;
  if (!TRY(state_->load_task(sequence, record))) return std::optional<Task>{};
  return std::optional<Task>(TRY(state_->to_model(sequence, record)));
}

Result<std::optional<Task>> ReadTxn::find_task(std::string_view id) const {
  TRY_STATUS(state_->usable());
  const std::optional<std::string_view> row = TRY(state_->get(Table::task_ids, id));
  if (!row) return std::optional<Task>{};
  if (row->size() != 8) return fail_damaged(Table::task_ids, id, "wrong size");
  std::optional<Task> task = TRY(find_task(number_at(*row, 0, 8)));
  if (!task || task->id != id) return fail_damaged(Table::task_ids, id, "leads to another task");
  return task;
}

Result<std::vector<Task>> ReadTxn::list_tasks(const TaskFilter& filter) const {
  TRY_STATUS(state_->usable());
  const size_t limit = filter.limit == 0 ? k_no_limit : filter.limit;
  record::Task& record = state_->task_record;
  std::vector<Task> out;
  if (const auto sequences = TRY(indexed(*state_, filter))) {
    for (size_t i = 0; i < sequences->size() && out.size() < limit; ++i) {
      const uint64_t sequence = (*sequences)[i];
      if (filter.before != 0 && sequence >= filter.before) continue;
      if (!TRY(state_->load_task(sequence, record)))
        return fail_damaged(Table::tasks, task_key(sequence), "is missing");
      if (matches(record, filter)) out.push_back(TRY(state_->to_model(sequence, record)));
    }
    return out;
  }
  Cursor cursor(*state_, Table::tasks);
  bool on_row = filter.before == 0 || !cursor.at_or_after(task_key(filter.before))
                    ? cursor.last()
                    : cursor.previous();
  for (; on_row && out.size() < limit; on_row = cursor.previous()) {
    const std::string_view body = TRY(open_value(Table::tasks, cursor.key(), cursor.value()));
    if (cursor.key().size() != 8 ||
        !record.ParseFromArray(body.data(), static_cast<int>(body.size())))
      return fail_damaged(Table::tasks, cursor.key(), "does not parse");
    if (matches(record, filter))
      out.push_back(TRY(state_->to_model(number_at(cursor.key(), 0, 8), record)));
  }
  TRY_STATUS(cursor.status());
  return out;
}

Result<std::optional<TaskResult>> ReadTxn::find_result(uint64_t sequence) const {
  TRY_STATUS(state_->usable());
  record::TaskResult record;
  if (!TRY(state_->get_record(Table::results, task_key(sequence), record)))
    return std::optional<TaskResult>{};
  return std::optional<TaskResult>(get_result(record));
}

Result<std::vector<uint64_t>> ReadTxn::running_tasks() const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> out;
  TRY_STATUS(collect(*state_, Table::running, {}, k_no_limit, out));
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<uint64_t>> ReadTxn::running_tasks(uint32_t agent_number) const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> out;
  TRY_STATUS(collect(*state_, Table::running, Key().u32(agent_number), k_no_limit, out));
  return out;
}

Result<std::vector<uint64_t>> ReadTxn::pending_tasks(QueueNumber queue, size_t limit) const {
  TRY_STATUS(state_->usable());
  // Each lane is in order of submission; the first `limit` of each hold the first of all.
  std::vector<uint64_t> out;
  for (const LaneBacklog& backlog : TRY(ready_lanes(queue))) {
    std::vector<uint64_t> of_lane;
    TRY_STATUS(collect(*state_, Table::ready, lane_key(backlog.lane), limit, of_lane));
    out.insert(out.end(), of_lane.begin(), of_lane.end());
  }
  std::vector<uint64_t> waiting;
  TRY_STATUS(collect(*state_, Table::waiting, Key().u32(queue), limit, waiting));
  out.insert(out.end(), waiting.begin(), waiting.end());
  std::sort(out.begin(), out.end());
  if (out.size() > limit) out.resize(limit);
  return out;
}

Result<std::vector<uint64_t>> ReadTxn::dependents(uint64_t sequence) const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> out;
  TRY_STATUS(collect(*state_, Table::edges, Key().u64(sequence), k_no_limit, out));
  return out;
}

Result<std::vector<uint64_t>> ReadTxn::finished_tasks(WallTime before, size_t limit) const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> out;
  Cursor cursor(*state_, Table::finished);
  const Key stop = Key().u64(static_cast<uint64_t>(before.us));
  for (bool on_row = cursor.first();
       on_row && out.size() < limit && cursor.key() < std::string_view(stop);
       on_row = cursor.next()) {
    if (cursor.key().size() != 16) return fail_damaged(Table::finished, cursor.key(), "wrong size");
    out.push_back(number_at(cursor.key(), 8, 8));
  }
  TRY_STATUS(cursor.status());
  return out;
}

}  // namespace fabric::store
