// SPDX-License-Identifier: Apache-2.0
// Lanes, timers, groups, exclusive keys, attempts: what the scheduler asks of the queue.
#include "store/codec.hpp"
#include "store/place.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

constexpr size_t k_ready_key_size = k_lane_key_size + 8;

Result<Lane> lane_at(std::string_view key) {
  if (key.size() != k_ready_key_size || number_at(key, 8, 1) >= k_priority_levels)
    return fail_damaged(Table::ready, key, "is no row of a lane");
  return Lane{
      static_cast<uint32_t>(number_at(key, 0, 4)), static_cast<uint32_t>(number_at(key, 4, 4)),
      static_cast<Priority>(number_at(key, 8, 1)), static_cast<uint32_t>(number_at(key, 9, 4))};
}

// The record that an index row promises.
Status check_promised(const Txn& txn, uint64_t sequence, Table index, std::string_view row) {
  if (TRY(txn.load_task(sequence, txn.task_record))) {
    const Place place = place_of(sequence, txn.task_record);
    if (place.table == index && std::string_view(place.key) == row) return {};
  }
  return fail_damaged(index, row, "its task is not in this state");
}

}  // namespace

Result<std::vector<LaneBacklog>> ReadTxn::ready_lanes() const {
  TRY_STATUS(state_->usable());
  std::vector<LaneBacklog> lanes;
  std::string lane_bytes;
  Cursor cursor(*state_, Table::ready);
  for (bool on_row = cursor.first(); on_row; on_row = cursor.next()) {
    if (!lanes.empty() && cursor.key().starts_with(lane_bytes)) {
      ++lanes.back().ready;
      continue;
    }
    lanes.push_back({TRY(lane_at(cursor.key())), 1});
    lane_bytes = cursor.key().substr(0, k_lane_key_size);
  }
  TRY_STATUS(cursor.status());
  return lanes;
}

Result<std::vector<LaneBacklog>> ReadTxn::ready_lanes(QueueNumber queue) const {
  TRY_STATUS(state_->usable());
  std::vector<LaneBacklog> lanes;
  Cursor cursor(*state_, Table::ready);
  const Key prefix = Key().u32(queue);
  bool on_row = cursor.at_or_after(prefix);
  while (on_row && cursor.key().starts_with(prefix)) {
    const Lane lane = TRY(lane_at(cursor.key()));
    lanes.push_back({lane, 1});
    on_row = cursor.at_or_after(ready_key(lane, ~uint64_t{0}));  // the next lane
  }
  TRY_STATUS(cursor.status());
  return lanes;
}

Result<std::optional<uint64_t>> ReadTxn::lane_head(const Lane& lane) const {
  TRY_STATUS(state_->usable());
  Cursor cursor(*state_, Table::ready);
  const Key prefix = lane_key(lane);
  std::optional<uint64_t> head;
  if (cursor.at_or_after(prefix) && cursor.key().starts_with(prefix)) {
    if (cursor.key().size() != k_ready_key_size)
      return fail_damaged(Table::ready, cursor.key(), "is no row of a lane");
    head = number_at(cursor.key(), k_lane_key_size, 8);
    TRY_STATUS(check_promised(*state_, *head, Table::ready, cursor.key()));
  }
  TRY_STATUS(cursor.status());
  return head;
}

Result<uint64_t> ReadTxn::tasks_before(const Task& task, uint64_t limit) const {
  TRY_STATUS(state_->usable());
  const Key prefix = lane_key(task.lane);
  uint64_t before = 0;
  Cursor cursor(*state_, Table::ready);
  for (bool on_row = cursor.at_or_after(prefix);
       on_row && before < limit && cursor.key().starts_with(prefix) &&
       number_at(cursor.key(), k_lane_key_size, 8) < task.sequence;
       on_row = cursor.next())
    ++before;
  TRY_STATUS(cursor.status());
  return before;
}

Result<std::vector<uint64_t>> ReadTxn::group_tasks(std::string_view group) const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> out;
  TRY_STATUS(collect(*state_, Table::groups, text_key(group, {}), k_no_limit, out));
  return out;
}

Result<std::vector<uint64_t>> ReadTxn::dead_tasks() const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> out;
  TRY_STATUS(collect(*state_, Table::dead, {}, k_no_limit, out));
  return out;
}

Result<std::vector<Attempt>> ReadTxn::attempts(uint64_t sequence) const {
  TRY_STATUS(state_->usable());
  std::vector<Attempt> out;
  record::Attempt record;
  Cursor cursor(*state_, Table::attempts);
  const Key prefix = task_key(sequence);
  for (bool on_row = cursor.at_or_after(prefix); on_row && cursor.key().starts_with(prefix);
       on_row = cursor.next()) {
    const std::string_view body = TRY(open_value(Table::attempts, cursor.key(), cursor.value()));
    if (cursor.key().size() != 13 ||
        !record.ParseFromArray(body.data(), static_cast<int>(body.size())))
      return fail_damaged(Table::attempts, cursor.key(), "does not parse");
    Result<Attempt> attempt = get_attempt(record);
    if (!attempt) return fail_damaged(Table::attempts, cursor.key(), attempt.error().message);
    attempt->number = static_cast<uint32_t>(number_at(cursor.key(), 8, 4));
    attempt->late = number_at(cursor.key(), 12, 1) != 0;
    out.push_back(*std::move(attempt));
  }
  TRY_STATUS(cursor.status());
  return out;
}

Result<std::optional<uint64_t>> ReadTxn::exclusive_holder(std::string_view key) const {
  TRY_STATUS(state_->usable());
  const std::string row = text_key(key, {});
  const std::optional<std::string_view> value = TRY(state_->get(Table::exclusive, row));
  if (!value) return std::optional<uint64_t>{};
  if (value->size() != 8) return fail_damaged(Table::exclusive, row, "wrong size");
  return std::optional(number_at(*value, 0, 8));
}

Result<std::optional<uint64_t>> ReadTxn::next_exclusive_waiter(std::string_view key) const {
  TRY_STATUS(state_->usable());
  const std::string prefix = text_key(key, {});
  Cursor cursor(*state_, Table::exclusive);
  bool on_row = cursor.at_or_after(prefix);
  if (on_row && cursor.key() == prefix) on_row = cursor.next();
  std::optional<uint64_t> next;
  if (on_row && cursor.key().starts_with(prefix)) {
    if (cursor.key().size() != prefix.size() + 9)
      return fail_damaged(Table::exclusive, cursor.key(), "wrong size");
    next = number_at(cursor.key(), cursor.key().size() - 8, 8);
  }
  TRY_STATUS(cursor.status());
  return next;
}

Result<std::vector<uint64_t>> ReadTxn::due_timers(WallTime now, size_t limit) const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> out;
  Cursor cursor(*state_, Table::timers);
  const Key stop = Key().u64(static_cast<uint64_t>(now.us) + 1);
  for (bool on_row = cursor.first();
       on_row && out.size() < limit && cursor.key() < std::string_view(stop);
       on_row = cursor.next()) {
    if (cursor.key().size() != 16) return fail_damaged(Table::timers, cursor.key(), "wrong size");
    out.push_back(number_at(cursor.key(), 8, 8));
  }
  TRY_STATUS(cursor.status());
  return out;
}

Result<std::optional<WallTime>> ReadTxn::next_timer() const {
  TRY_STATUS(state_->usable());
  Cursor cursor(*state_, Table::timers);
  std::optional<WallTime> next;
  if (cursor.first()) {
    if (cursor.key().size() != 16) return fail_damaged(Table::timers, cursor.key(), "wrong size");
    next = WallTime{static_cast<int64_t>(number_at(cursor.key(), 0, 8))};
  }
  TRY_STATUS(cursor.status());
  return next;
}

Result<bool> ReadTxn::is_pinned(uint64_t sequence) const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> one;
  TRY_STATUS(collect(*state_, Table::pins, Key().u64(sequence), 1, one));
  return !one.empty();
}

Status WriteTxn::pin(uint64_t dependency, uint64_t dependent) {
  TRY_STATUS(state_->usable());
  return state_->put(Table::pins, edge_key(dependency, dependent), {});
}

Status WriteTxn::unpin(uint64_t dependency, uint64_t dependent) {
  TRY_STATUS(state_->usable());
  return state_->erase(Table::pins, edge_key(dependency, dependent));
}

Status WriteTxn::save_attempt(uint64_t sequence, const Attempt& attempt) {
  TRY_STATUS(state_->usable());
  record::Attempt record;
  put_attempt(attempt, record);
  return state_->put_record(Table::attempts, attempt_key(sequence, attempt.number, attempt.late),
                            record);
}

Status WriteTxn::set_exclusive_holder(std::string_view key, uint64_t sequence) {
  TRY_STATUS(state_->usable());
  const std::string row = text_key(key, {});
  if (sequence == 0) return state_->erase(Table::exclusive, row);
  return state_->put(Table::exclusive, row, Key().u64(sequence));
}

QueueChanges WriteTxn::take_queue_changes() { return state_->take_queue_changes(); }

}  // namespace fabric::store
