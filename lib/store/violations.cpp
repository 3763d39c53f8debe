// SPDX-License-Identifier: Apache-2.0
// What sandboxes kept agents from doing: a ring for each agent, and a bound for all of them.
#include <algorithm>

#include "store/codec.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

Result<Violation> read_row(std::string_view key, std::string_view value) {
  const std::string_view body = TRY(open_value(Table::violations, key, value));
  record::Violation record;
  if (key.size() != 12 || !record.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail_damaged(Table::violations, key, "does not parse");
  Result<Violation> violation = get_violation(record);
  if (!violation) return fail_damaged(Table::violations, key, violation.error().message);
  violation->agent_number = static_cast<uint32_t>(number_at(key, 0, 4));
  violation->sequence = number_at(key, 4, 8);
  return violation;
}

uint64_t rows_of(const Txn& txn) {
  MDB_stat stat{};
  ::mdb_stat(txn.raw(), txn.environment().table(Table::violations), &stat);
  return stat.ms_entries;
}

// The newest row of an agent; 0: it has none.
Result<uint64_t> newest(const Txn& txn, uint32_t agent) {
  Cursor cursor(txn, Table::violations);
  const bool found =
      cursor.at_or_after(violation_key(agent + 1, 0)) ? cursor.previous() : cursor.last();
  TRY_STATUS(cursor.status());
  if (!found || cursor.key().size() != 12 || number_at(cursor.key(), 0, 4) != agent) return 0;
  return number_at(cursor.key(), 4, 8);
}

constexpr uint64_t k_looked_at = 32;
constexpr Duration k_one_row = Duration::seconds(60);

}  // namespace

Status WriteTxn::add_violation(Violation& violation) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  const uint32_t agent = violation.agent_number;
  const uint64_t last = TRY(newest(txn, agent));
  for (Violation& known : TRY(violations(agent, last > k_looked_at ? last - k_looked_at : 0))) {
    if (!same_violation(known, violation) || violation.at - known.last_at > k_one_row) continue;
    known.count += violation.count;
    known.last_at = std::max(known.last_at, violation.last_at);
    violation.sequence = known.sequence;
    return save_violation(known);
  }
  violation.sequence = last + 1;
  if (violation.sequence > k_violations_per_agent)
    TRY_STATUS(txn.erase(Table::violations,
                         violation_key(agent, violation.sequence - k_violations_per_agent)));
  // Agents that are gone have the lowest numbers.
  for (uint64_t rows = rows_of(txn); rows >= k_violations; --rows) {
    std::string oldest;
    {
      Cursor cursor(txn, Table::violations);
      if (!cursor.first()) break;
      oldest = cursor.key();
    }
    TRY_STATUS(txn.erase(Table::violations, oldest));
  }
  return save_violation(violation);
}

Status WriteTxn::save_violation(const Violation& violation) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  record::Violation record;
  const Key key = violation_key(violation.agent_number, violation.sequence);
  TRY(txn.get_record(Table::violations, key, record));
  put_violation(violation, record);
  return txn.put_record(Table::violations, key, record);
}

Result<std::vector<uint32_t>> ReadTxn::agents_with_violations() const {
  TRY_STATUS(state_->usable());
  std::vector<uint32_t> out;
  Cursor cursor(*state_, Table::violations);
  for (bool on_row = cursor.first(); on_row;
       on_row = cursor.at_or_after(violation_key(out.back() + 1, 0))) {
    if (cursor.key().size() != 12)
      return fail_damaged(Table::violations, cursor.key(), "wrong size");
    out.push_back(static_cast<uint32_t>(number_at(cursor.key(), 0, 4)));
  }
  TRY_STATUS(cursor.status());
  return out;
}

Result<std::vector<Violation>> ReadTxn::violations(uint32_t agent, uint64_t after) const {
  TRY_STATUS(state_->usable());
  std::vector<Violation> out;
  Cursor cursor(*state_, Table::violations);
  for (bool on_row = cursor.at_or_after(violation_key(agent, after + 1));
       on_row && cursor.key().size() == 12 && number_at(cursor.key(), 0, 4) == agent;
       on_row = cursor.next())
    out.push_back(TRY(read_row(cursor.key(), cursor.value())));
  TRY_STATUS(cursor.status());
  return out;
}

}  // namespace fabric::store
