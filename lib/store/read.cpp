// SPDX-License-Identifier: Apache-2.0
// Reading tasks. An index row is believed only as far as the record it names agrees.
#include <algorithm>

#include "store/codec.hpp"
#include "store/place.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

// Sequences at the end of the keys that start with `prefix`.
Status collect(const Txn& txn, Table table, std::string_view prefix, size_t limit,
               std::vector<uint64_t>& out) {
  Cursor cursor(txn, table);
  bool on_row = prefix.empty() ? cursor.first() : cursor.at_or_after(prefix);
  for (; on_row && out.size() < limit && cursor.key().starts_with(prefix); on_row = cursor.next()) {
    if (cursor.key().size() < prefix.size() + 8)
      return fail_damaged(table, cursor.key(), "key too short");
    out.push_back(number_at(cursor.key(), cursor.key().size() - 8, 8));
  }
  return cursor.status();
}

constexpr size_t k_no_limit = ~size_t{0};

bool matches(const record::Task& task, const TaskFilter& filter) {
  return (!filter.state || task.state() == static_cast<uint32_t>(*filter.state)) &&
         (filter.agent.empty() || task.agent() == filter.agent) &&
         (filter.type.empty() || task.type() == filter.type);
}

// The record that an index row promises.
Status load_promised(const Txn& txn, uint64_t sequence, Table index, std::string_view row) {
  if (TRY(txn.load_task(sequence, txn.task_record))) {
    const Place place = place_of(sequence, txn.task_record);
    if (place.table == index && std::string_view(place.key) == row) return {};
  }
  return fail_damaged(index, row, "its task is not in this state");
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
  // States that few tasks are in have an index; without it we go through all, newest first.
  const bool use_index = filter.state && !is_terminal(*filter.state);
  if (use_index) {
    const bool pending = *filter.state == TaskState::pending;
    const Table index = pending ? Table::queue : Table::running;
    std::vector<uint64_t> sequences;
    TRY_STATUS(collect(*state_, index, {}, k_no_limit, sequences));
    std::sort(sequences.begin(), sequences.end(), std::greater<>());
    for (size_t i = 0; i < sequences.size() && out.size() < limit; ++i) {
      if (!TRY(state_->load_task(sequences[i], record)))
        return fail_damaged(Table::tasks, task_key(sequences[i]), "is missing");
      if (matches(record, filter)) out.push_back(TRY(state_->to_model(sequences[i], record)));
    }
    return out;
  }
  Cursor cursor(*state_, Table::tasks);
  for (bool on_row = cursor.last(); on_row && out.size() < limit; on_row = cursor.previous()) {
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

Result<std::optional<uint64_t>> ReadTxn::next_ready(uint32_t agent_number) const {
  TRY_STATUS(state_->usable());
  Cursor cursor(*state_, Table::queue);
  const Key start = Key().u32(agent_number);
  const Key stop = Key().u32(agent_number).u8(k_level_waiting);
  std::optional<uint64_t> found;
  if (cursor.at_or_after(start) && cursor.key() < std::string_view(stop)) {
    if (cursor.key().size() != 13) return fail_damaged(Table::queue, cursor.key(), "wrong size");
    found = number_at(cursor.key(), 5, 8);
    TRY_STATUS(load_promised(*state_, *found, Table::queue, cursor.key()));
  }
  TRY_STATUS(cursor.status());
  return found;
}

Result<std::vector<uint64_t>> ReadTxn::pending_tasks(uint32_t agent_number, size_t limit) const {
  TRY_STATUS(state_->usable());
  // Each level is in order of submission; the first `limit` of each hold the first of all.
  std::vector<uint64_t> out;
  for (uint8_t level = 0; level <= k_level_waiting; ++level) {
    std::vector<uint64_t> of_level;
    TRY_STATUS(collect(*state_, Table::queue, Key().u32(agent_number).u8(level), limit, of_level));
    out.insert(out.end(), of_level.begin(), of_level.end());
  }
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
