// SPDX-License-Identifier: Apache-2.0
// What is behind ReadTxn and WriteTxn: LMDB's transaction, rows in and out, and what a transaction
// gathers and writes once, when it commits: counters and sequences.
#pragma once

#include <lmdb.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "store/environment.hpp"
#include "store/records.pb.h"
#include "store/store.hpp"
#include "store/tables.hpp"
#include "store/value.hpp"

namespace fabric::store {

class Txn {
 public:
  Txn(Environment& environment, MDB_txn* txn, bool writes, Txn* parent);
  ~Txn();
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;

  [[nodiscard]] Status usable() const;  // false after commit, or when the outer one ended
  Status start();                       // a write transaction reads its sequences
  Status commit();

  // Rows. A key that LMDB cannot hold is simply not there.
  [[nodiscard]] Result<std::optional<std::string_view>> get(Table table,
                                                            std::string_view key) const;
  Status put(Table table, std::string_view key, std::string_view value, unsigned flags = 0);
  Status erase(Table table, std::string_view key);  // absent is no error

  // Records: rows with the header of value.hpp.
  [[nodiscard]] Result<bool> get_record(Table table, std::string_view key,
                                        google::protobuf::MessageLite& record) const;
  Status put_record(Table table, std::string_view key, const google::protobuf::MessageLite& record,
                    unsigned flags = 0);

  // Loads the record of a task with its payload; false when there is none.
  [[nodiscard]] Result<bool> load_task(uint64_t sequence, record::Task& record) const;
  [[nodiscard]] Result<Task> to_model(uint64_t sequence, const record::Task& record) const;

  // Counters as this transaction sees them.
  [[nodiscard]] Result<TaskCounts> counts(uint32_t agent_number) const;
  void count(uint32_t agent_number, TaskState state, int64_t change);
  // 0: there is no such agent.
  Result<uint32_t> agent_number(const std::string& id);
  void agents_changed();
  void ready_changed(const Lane& lane, int64_t change);
  // Of this one and of those around it.
  QueueChanges take_queue_changes();
  std::map<Lane, int64_t> ready_changes;
  std::vector<uint64_t> ended_attempts;

  struct Sequences {  // the next to be given
    uint64_t task = 1, agent = 1, unique = 1, event = 1;
    uint32_t share = 1, slot_class = 1;
    bool operator==(const Sequences&) const = default;
  };
  Sequences next;
  // Scratch space, so that a row costs no allocation.
  mutable record::Task task_record;

  [[nodiscard]] MDB_txn* raw() const { return txn_; }
  [[nodiscard]] Environment& environment() const { return environment_; }
  [[nodiscard]] bool writes() const { return writes_; }
  // What an LMDB call said: remembered, because a full map must grow when this is over.
  tl::unexpected<Error> failed(int rc, const std::string& what) const;

 private:
  friend class Cursor;
  void end();
  Status write_gathered();
  Status merge_into_parent();

  Environment& environment_;
  MDB_txn* txn_;
  const bool writes_;
  Txn* parent_;
  Txn* child_ = nullptr;
  mutable int last_rc_ = 0;
  Sequences first_;  // as found
  using Changes = std::array<int64_t, k_task_states>;
  std::map<uint32_t, Changes> changes_;
  std::unordered_map<std::string, uint32_t> agent_numbers_;
  bool agents_changed_ = false;
};

Txn::Sequences sequences_of(const record::Sequences& record);

struct ReadTxn::State : Txn {
  using Txn::Txn;
};

// Walks a table in key order. Ends with its transaction.
class Cursor {
 public:
  Cursor(const Txn& txn, Table table);
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  // Each says whether it stands on a row; false at the end. An error ends the walk too: see
  // status().
  bool first() { return move(MDB_FIRST, {}); }
  bool last() { return move(MDB_LAST, {}); }
  bool next() { return move(MDB_NEXT, {}); }
  bool previous() { return move(MDB_PREV, {}); }
  bool at_or_after(std::string_view key) { return move(MDB_SET_RANGE, key); }
  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  bool move(MDB_cursor_op op, std::string_view key);
  const Txn& txn_;
  Table table_;
  MDB_cursor* cursor_ = nullptr;
  std::string_view key_, value_;
  Status status_;
};

constexpr size_t k_no_limit = ~size_t{0};

// Sequences at the end of the keys that start with `prefix`, at most `limit`.
Status collect(const Txn& txn, Table table, std::string_view prefix, size_t limit,
               std::vector<uint64_t>& out);

}  // namespace fabric::store
