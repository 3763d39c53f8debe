// SPDX-License-Identifier: Apache-2.0
// The stream of events, and small tables that are read whole: names, shares, recurring tasks,
// pauses.
#include <algorithm>
#include <limits>

#include "base/id.hpp"
#include "store/codec.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

std::string name_key(NameKind kind, std::string_view text) {
  return std::string(1, static_cast<char>(kind)).append(text);
}

constexpr size_t k_longest_name = 500;  // LMDB's keys have at most 511 bytes

template <class Record, class Use>
Status for_each_record(const Txn& txn, Table table, Record& record, Use use) {
  Cursor cursor(txn, table);
  for (bool on_row = cursor.first(); on_row; on_row = cursor.next()) {
    const std::string_view body = TRY(open_value(table, cursor.key(), cursor.value()));
    if (!record.ParseFromArray(body.data(), static_cast<int>(body.size())))
      return fail_damaged(table, cursor.key(), "does not parse");
    TRY_STATUS(use(cursor.key(), record));
  }
  return cursor.status();
}

}  // namespace

Status WriteTxn::add_event(Event& event) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  event.sequence = txn.next.event++;
  record::Event record;
  put_event(event, record);
  return txn.put_record(Table::events, Key().u64(event.sequence), record, MDB_APPEND);
}

Result<size_t> WriteTxn::remove_events(uint64_t last, size_t limit) {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> old;
  TRY_STATUS(collect(*state_, Table::events, {}, limit, old));
  size_t removed = 0;
  for (; removed < old.size() && old[removed] <= last; ++removed)
    TRY_STATUS(state_->erase(Table::events, Key().u64(old[removed])));
  return removed;
}

Result<std::vector<Event>> ReadTxn::events(uint64_t after, size_t limit) const {
  TRY_STATUS(state_->usable());
  std::vector<Event> out;
  if (after == std::numeric_limits<uint64_t>::max()) return out;
  record::Event record;
  Cursor cursor(*state_, Table::events);
  for (bool on_row = cursor.at_or_after(Key().u64(after + 1)); on_row && out.size() < limit;
       on_row = cursor.next()) {
    const std::string_view body = TRY(open_value(Table::events, cursor.key(), cursor.value()));
    if (cursor.key().size() != 8 ||
        !record.ParseFromArray(body.data(), static_cast<int>(body.size())))
      return fail_damaged(Table::events, cursor.key(), "does not parse");
    Result<Event> event = get_event(record);
    if (!event) return fail_damaged(Table::events, cursor.key(), event.error().message);
    event->sequence = number_at(cursor.key(), 0, 8);
    out.push_back(*std::move(event));
  }
  TRY_STATUS(cursor.status());
  return out;
}

Result<uint64_t> ReadTxn::first_event() const {
  TRY_STATUS(state_->usable());
  std::vector<uint64_t> first;
  TRY_STATUS(collect(*state_, Table::events, {}, 1, first));
  return first.empty() ? 0 : first[0];
}

Result<uint64_t> ReadTxn::last_event() const {
  TRY_STATUS(state_->usable());
  record::Sequences record;
  if (state_->writes()) return state_->next.event - 1;
  TRY(state_->get_record(Table::meta, k_meta_sequences, record));
  return sequences_of(record).event - 1;
}

Result<std::optional<uint32_t>> ReadTxn::find_number(NameKind kind, std::string_view text) const {
  TRY_STATUS(state_->usable());
  if (text.size() > k_longest_name) return std::optional<uint32_t>{};
  const std::string key = name_key(kind, text);
  const std::optional<std::string_view> value = TRY(state_->get(Table::names, key));
  if (!value) return std::optional<uint32_t>{};
  const std::string_view body = TRY(open_value(Table::names, key, *value));
  if (body.size() != 4) return fail_damaged(Table::names, key, "wrong size");
  return std::optional(static_cast<uint32_t>(number_at(body, 0, 4)));
}

Result<std::vector<Name>> ReadTxn::names(NameKind kind) const {
  TRY_STATUS(state_->usable());
  std::vector<Name> out;
  const std::string prefix(1, static_cast<char>(kind));
  Cursor cursor(*state_, Table::names);
  for (bool on_row = cursor.at_or_after(prefix); on_row && cursor.key().starts_with(prefix);
       on_row = cursor.next()) {
    const std::string_view body = TRY(open_value(Table::names, cursor.key(), cursor.value()));
    if (body.size() != 4) return fail_damaged(Table::names, cursor.key(), "wrong size");
    out.push_back(
        {static_cast<uint32_t>(number_at(body, 0, 4)), std::string(cursor.key().substr(1))});
  }
  TRY_STATUS(cursor.status());
  return out;
}

Result<uint32_t> WriteTxn::number_of(NameKind kind, std::string_view text) {
  if (const auto known = TRY(find_number(kind, text))) return *known;
  if (text.size() > k_longest_name)
    return fail(ErrorCode::usage, "'" + std::string(text.substr(0, 40)) + "...' is too long");
  Txn& txn = *state_;
  uint64_t number = 0;
  if (kind == NameKind::route)
    number = txn.next.agent++;  // routes and agents have queues, told apart by their numbers
  else
    number = kind == NameKind::share ? txn.next.share++ : txn.next.slot_class++;
  if (number > std::numeric_limits<uint32_t>::max())
    return fail(ErrorCode::unavailable, "all numbers have been given");
  const std::string key = name_key(kind, text);
  const Key bytes = Key().u32(static_cast<uint32_t>(number));
  TRY_STATUS(txn.put(Table::names, key, make_value(Table::names, key, bytes)));
  if (kind == NameKind::share) {
    record::Share record;
    record.set_name(std::string(text));
    TRY_STATUS(txn.put_record(Table::shares, bytes, record));
  }
  return static_cast<uint32_t>(number);
}

Result<std::vector<Share>> ReadTxn::shares() const {
  TRY_STATUS(state_->usable());
  std::vector<Share> out;
  record::Share record;
  TRY_STATUS(for_each_record(
      *state_, Table::shares, record, [&](std::string_view key, const record::Share& r) -> Status {
        if (key.size() != 4) return fail_damaged(Table::shares, key, "wrong size");
        Share share{static_cast<uint32_t>(number_at(key, 0, 4)), r.name(), {}};
        share.times.share = r.time();
        for (int i = 0; i < k_priority_levels && i < r.levels_size(); ++i)
          share.times.levels[static_cast<size_t>(i)] = r.levels(i);
        out.push_back(std::move(share));
        return {};
      }));
  return out;
}

Status WriteTxn::save_share_times(ShareNumber share, const ShareTimes& times) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  record::Share record;
  const Key key = Key().u32(share);
  if (!TRY(txn.get_record(Table::shares, key, record)))
    return fail(ErrorCode::not_found, "there is no share " + std::to_string(share));
  record.set_time(times.share);
  record.clear_levels();
  for (double level : times.levels) record.add_levels(level);
  return txn.put_record(Table::shares, key, record);
}

Result<std::vector<Recurring>> ReadTxn::list_recurring() const {
  TRY_STATUS(state_->usable());
  std::vector<Recurring> out;
  record::Recurring record;
  TRY_STATUS(for_each_record(*state_, Table::recurring, record,
                             [&](std::string_view key, const record::Recurring& r) -> Status {
                               Result<Recurring> recurring = get_recurring(r);
                               if (!recurring || recurring->id != key)
                                 return fail_damaged(Table::recurring, key, "does not parse");
                               out.push_back(*std::move(recurring));
                               return {};
                             }));
  return out;
}

Result<std::optional<Recurring>> ReadTxn::find_recurring(std::string_view id) const {
  TRY_STATUS(state_->usable());
  record::Recurring record;
  if (!TRY(state_->get_record(Table::recurring, id, record))) return std::optional<Recurring>{};
  return std::optional<Recurring>(TRY(get_recurring(record)));
}

Status WriteTxn::save_recurring(const Recurring& recurring) {
  TRY_STATUS(state_->usable());
  TRY_STATUS(check_id(recurring.id, "id of a recurring task"));
  record::Recurring record;
  TRY(state_->get_record(Table::recurring, recurring.id, record));
  put_recurring(recurring, record);
  return state_->put_record(Table::recurring, recurring.id, record);
}

Status WriteTxn::remove_recurring(std::string_view id) {
  TRY_STATUS(state_->usable());
  return state_->erase(Table::recurring, id);
}

Result<std::vector<Pause>> ReadTxn::pauses() const {
  TRY_STATUS(state_->usable());
  record::Pauses record;
  TRY(state_->get_record(Table::meta, k_meta_pauses, record));
  return get_pauses(record);
}

Status WriteTxn::save_pauses(const std::vector<Pause>& pauses) {
  TRY_STATUS(state_->usable());
  record::Pauses record;
  put_pauses(pauses, record);
  return state_->put_record(Table::meta, k_meta_pauses, record);
}

}  // namespace fabric::store
