// SPDX-License-Identifier: Apache-2.0
#include "store/store.hpp"

#include <sys/stat.h>

#include "store/environment.hpp"
#include "store/lmdb_error.hpp"
#include "store/store_state.hpp"
#include "store/txn_state.hpp"
#include "store/upgrade.hpp"

namespace fabric::store {

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

ReadTxn::ReadTxn(std::unique_ptr<State> state) : state_(std::move(state)) {}
ReadTxn::ReadTxn(ReadTxn&&) noexcept = default;
ReadTxn& ReadTxn::operator=(ReadTxn&&) noexcept = default;
ReadTxn::~ReadTxn() = default;

Result<Store> Store::open(const std::string& directory, Mode mode) {
  return open(directory, mode, OpenOptions{});
}

Result<Store> Store::open(const std::string& directory, Mode mode, const OpenOptions& options) {
  auto state = std::make_unique<State>();
  state->environment = TRY(Environment::open(directory, mode, options));
  if (!state->environment->outdated()) return Store(std::move(state));
  if (mode == Mode::read) {
    state->environment.reset();
    TRY(open(directory, Mode::write, options));  // which upgrades it
    return open(directory, mode, options);
  }
  Store store(std::move(state));
  TRY_STATUS(upgrade(store, directory));
  store.state_->environment->upgraded();
  return store;
}

Result<ReadTxn> Store::read() const {
  Environment& environment = *state_->environment;
  MDB_txn* txn = TRY(environment.begin_read());
  return ReadTxn(std::make_unique<ReadTxn::State>(environment, txn, false, nullptr));
}

Result<WriteTxn> Store::write() {
  Environment& environment = *state_->environment;
  MDB_txn* txn = TRY(environment.begin_write());
  auto state = std::make_unique<ReadTxn::State>(environment, txn, true, nullptr);
  TRY_STATUS(state->start());
  return WriteTxn(std::move(state));
}

Result<WriteTxn> WriteTxn::nested() {
  TRY_STATUS(state_->usable());
  MDB_txn* txn = nullptr;
  if (int rc = ::mdb_txn_begin(state_->environment().get(), state_->raw(), 0, &txn))
    return state_->failed(rc, "beginning a transaction inside another");
  auto state = std::make_unique<State>(state_->environment(), txn, true, state_.get());
  TRY_STATUS(state->start());
  return WriteTxn(std::move(state));
}

Status WriteTxn::commit() { return state_->commit(); }

const std::string& Store::bell_path() const { return state_->environment->bell_path(); }

void Store::clear_stale_readers() const {
  Environment::Use use(*state_->environment);
  int dead = 0;
  if (MDB_env* env = state_->environment->get()) ::mdb_reader_check(env, &dead);
}

}  // namespace fabric::store
