// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "store/codec.hpp"
#include "store/lmdb_error.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {

Txn::Sequences sequences_of(const record::Sequences& record) {
  const auto given = [](auto number) { return std::max<decltype(number)>(number, 1); };
  return {given(record.task()),  given(record.agent()), given(record.unique()),
          given(record.event()), given(record.share()), given(record.slot_class())};
}

Txn::Txn(Environment& environment, MDB_txn* txn, bool writes, Txn* parent)
    : environment_(environment), txn_(txn), writes_(writes), parent_(parent) {
  if (parent_ != nullptr) parent_->child_ = this;
}

Txn::~Txn() {
  if (txn_ != nullptr) {
    ::mdb_txn_abort(txn_);
    end();
  }
}

// LMDB has ended ours, and with it those inside it.
void Txn::end() {
  for (Txn* inner = child_; inner != nullptr; inner = inner->child_) {
    inner->txn_ = nullptr;
    inner->parent_ = nullptr;
  }
  child_ = nullptr;
  txn_ = nullptr;
  if (parent_ != nullptr) {
    parent_->child_ = nullptr;
    if (parent_->last_rc_ == 0) parent_->last_rc_ = last_rc_;
  } else {
    environment_.ended(writes_, last_rc_);
  }
}

Status Txn::usable() const {
  if (txn_ == nullptr) return fail(ErrorCode::failed, "the transaction is over");
  if (child_ != nullptr) return fail(ErrorCode::failed, "a transaction inside this one is open");
  return {};
}

tl::unexpected<Error> Txn::failed(int rc, const std::string& what) const {
  last_rc_ = rc;
  return fail_lmdb(rc, what);
}

Status Txn::start() {
  if (parent_ != nullptr) {
    next = first_ = parent_->next;
    return {};
  }
  record::Sequences sequences;
  if (TRY(get_record(Table::meta, k_meta_sequences, sequences))) next = sequences_of(sequences);
  first_ = next;
  return {};
}

Status Txn::commit() {
  TRY_STATUS(usable());
  if (!writes_) return fail(ErrorCode::failed, "a read transaction has nothing to commit");
  if (parent_ == nullptr) TRY_STATUS(write_gathered());
  const size_t id = ::mdb_txn_id(txn_);
  if (int rc = ::mdb_txn_commit(txn_)) {
    Status status = failed(rc, environment_.path() + ": commit");
    end();
    return status;
  }
  Txn* const parent = parent_;
  if (parent == nullptr) environment_.committed(id);
  end();
  if (parent == nullptr) return {};
  parent->next = next;
  for (const auto& [agent, changes] : changes_)
    for (size_t i = 0; i < changes.size(); ++i) parent->changes_[agent][i] += changes[i];
  if (agents_changed_) parent->agents_changed();
  for (const auto& [lane, change] : ready_changes) parent->ready_changed(lane, change);
  parent->ended_attempts.insert(parent->ended_attempts.end(), ended_attempts.begin(),
                                ended_attempts.end());
  return {};
}

Status Txn::write_gathered() {
  for (const auto& [agent, changes] : changes_) {
    const TaskCounts sum = TRY(counts(agent));
    if (sum.total() == 0) {  // of agents that are gone nothing is left in the end
      TRY_STATUS(erase(Table::counts, counts_key(agent)));
      continue;
    }
    record::Counts record;
    put_counts(sum, record);
    TRY_STATUS(put_record(Table::counts, counts_key(agent), record));
  }
  if (next == first_) return {};
  record::Sequences record;
  TRY(get_record(Table::meta, k_meta_sequences, record));
  record.set_task(next.task);
  record.set_agent(next.agent);
  record.set_unique(next.unique);
  record.set_event(next.event);
  record.set_share(next.share);
  record.set_slot_class(next.slot_class);
  return put_record(Table::meta, k_meta_sequences, record);
}

void Txn::count(uint32_t agent_number, TaskState state, int64_t change) {
  changes_[agent_number][static_cast<size_t>(state)] += change;
  changes_[0][static_cast<size_t>(state)] += change;
}

Result<TaskCounts> Txn::counts(uint32_t agent_number) const {
  record::Counts record;
  TRY(get_record(Table::counts, counts_key(agent_number), record));
  TaskCounts sum = get_counts(record);
  for (const Txn* txn = this; txn != nullptr; txn = txn->parent_) {
    auto found = txn->changes_.find(agent_number);
    if (found == txn->changes_.end()) continue;
    for (size_t i = 0; i < k_task_states; ++i)
      sum.of(static_cast<TaskState>(i)) += static_cast<uint64_t>(found->second[i]);
  }
  return sum;
}

Result<uint32_t> Txn::agent_number(const std::string& id) {
  for (const Txn* txn = this; txn != nullptr; txn = txn->parent_) {
    auto found = txn->agent_numbers_.find(id);
    if (found != txn->agent_numbers_.end()) return found->second;
    if (txn->agents_changed_) break;  // what the outer ones know may be old
  }
  record::Agent agent;
  if (!TRY(get_record(Table::agents, id, agent))) return 0U;
  agent_numbers_[id] = agent.number();
  return agent.number();
}

void Txn::ready_changed(const Lane& lane, int64_t change) {
  if ((ready_changes[lane] += change) == 0) ready_changes.erase(lane);
}

QueueChanges Txn::take_queue_changes() {
  QueueChanges changes;
  std::map<Lane, int64_t> sum;
  for (Txn* txn = this; txn != nullptr; txn = txn->parent_) {
    for (const auto& [lane, change] : txn->ready_changes) sum[lane] += change;
    changes.ended.insert(changes.ended.end(), txn->ended_attempts.begin(),
                         txn->ended_attempts.end());
    txn->ready_changes.clear();
    txn->ended_attempts.clear();
  }
  for (const auto& [lane, change] : sum)
    if (change != 0) changes.ready.emplace_back(lane, change);
  return changes;
}

void Txn::agents_changed() {
  agents_changed_ = true;
  agent_numbers_.clear();
}

}  // namespace fabric::store
