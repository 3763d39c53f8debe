// SPDX-License-Identifier: Apache-2.0
// Rows, records and cursors of a transaction.
#include "store/codec.hpp"
#include "store/lmdb_error.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

constexpr size_t k_longest_key = 511;  // LMDB's

std::string about(const Txn& txn, Table table) {
  return txn.environment().path() + ": table " + k_table_names[static_cast<size_t>(table)];
}

}  // namespace

Result<std::optional<std::string_view>> Txn::get(Table table, std::string_view key) const {
  if (key.empty() || key.size() > k_longest_key) return std::optional<std::string_view>{};
  MDB_val k = to_val(key);
  MDB_val data{};
  const int rc = ::mdb_get(txn_, environment_.table(table), &k, &data);
  if (rc == MDB_NOTFOUND) return std::optional<std::string_view>{};
  if (rc != 0) return failed(rc, about(*this, table));
  return std::optional(from_val(data));
}

Status Txn::put(Table table, std::string_view key, std::string_view value, unsigned flags) {
  MDB_val k = to_val(key);
  MDB_val data = to_val(value);
  if (int rc = ::mdb_put(txn_, environment_.table(table), &k, &data, flags))
    return failed(rc, about(*this, table));
  return {};
}

Status Txn::erase(Table table, std::string_view key) {
  MDB_val k = to_val(key);
  const int rc = ::mdb_del(txn_, environment_.table(table), &k, nullptr);
  if (rc != 0 && rc != MDB_NOTFOUND) return failed(rc, about(*this, table));
  return {};
}

Result<bool> Txn::get_record(Table table, std::string_view key,
                             google::protobuf::MessageLite& record) const {
  const std::optional<std::string_view> value = TRY(get(table, key));
  if (!value) return false;
  const std::string_view body = TRY(open_value(table, key, *value));
  if (!record.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail_damaged(table, key, "does not parse");
  return true;
}

Status Txn::put_record(Table table, std::string_view key,
                       const google::protobuf::MessageLite& record, unsigned flags) {
  MDB_val k = to_val(key);
  MDB_val data{k_value_header + record.ByteSizeLong(), nullptr};
  if (int rc = ::mdb_put(txn_, environment_.table(table), &k, &data, flags | MDB_RESERVE))
    return failed(rc, about(*this, table));
  auto* value = static_cast<uint8_t*>(data.mv_data);
  record.SerializeWithCachedSizesToArray(value + k_value_header);
  seal_value(table, key, value, data.mv_size);
  return {};
}

Result<bool> Txn::load_task(uint64_t sequence, record::Task& record) const {
  return get_record(Table::tasks, task_key(sequence), record);
}

Result<Task> Txn::to_model(uint64_t sequence, const record::Task& record) const {
  const Key key = task_key(sequence);
  Result<Task> task = get_task(record);
  if (!task) return fail_damaged(Table::tasks, key, task.error().message);
  task->sequence = sequence;
  if (!record.has_payload_bytes()) return task;
  const std::optional<std::string_view> value = TRY(get(Table::payloads, key));
  if (!value) return fail_damaged(Table::payloads, key, "is missing");
  const std::string_view payload = TRY(open_value(Table::payloads, key, *value));
  if (payload.size() != record.payload_bytes())
    return fail_damaged(Table::payloads, key, "has another size than its task says");
  task->payload = payload;
  return task;
}

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

Cursor::Cursor(const Txn& txn, Table table) : txn_(txn), table_(table) {
  if (int rc = ::mdb_cursor_open(txn.raw(), txn.environment().table(table), &cursor_))
    status_ = txn.failed(rc, about(txn, table));
}

Cursor::~Cursor() {
  if (cursor_ != nullptr) ::mdb_cursor_close(cursor_);
}

bool Cursor::move(MDB_cursor_op op, std::string_view key) {
  if (!status_) return false;
  MDB_val k = to_val(key);
  MDB_val data{};
  const int rc = ::mdb_cursor_get(cursor_, &k, &data, op);
  if (rc != 0) {
    if (rc != MDB_NOTFOUND) status_ = txn_.failed(rc, about(txn_, table_));
    return false;
  }
  key_ = from_val(k);
  value_ = from_val(data);
  return true;
}

}  // namespace fabric::store
