// SPDX-License-Identifier: Apache-2.0
// Changes behind the back of the store, with LMDB alone. The store must be closed.
#pragma once

#include <lmdb.h>

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "store/tables.hpp"

namespace fabric::store::test {

class RawStore {
 public:
  explicit RawStore(const std::string& directory) {
    REQUIRE(::mdb_env_create(&env_) == 0);
    ::mdb_env_set_maxdbs(env_, k_tables + 5);
    ::mdb_env_set_mapsize(env_, 64 << 20);
    REQUIRE(::mdb_env_open(env_, directory.c_str(), 0, 0600) == 0);
    REQUIRE(::mdb_txn_begin(env_, nullptr, 0, &txn_) == 0);
  }
  ~RawStore() {
    ::mdb_txn_commit(txn_);
    ::mdb_env_close(env_);
  }
  RawStore(const RawStore&) = delete;
  RawStore& operator=(const RawStore&) = delete;

  void put(Table table, std::string_view key, std::string_view value) {
    MDB_val k = to_val(key), v = to_val(value);
    REQUIRE(::mdb_put(txn_, dbi(table), &k, &v, 0) == 0);
  }
  void erase(Table table, std::string_view key) {
    MDB_val k = to_val(key);
    REQUIRE(::mdb_del(txn_, dbi(table), &k, nullptr) == 0);
  }
  std::string get(Table table, std::string_view key) {
    MDB_val k = to_val(key), v{};
    REQUIRE(::mdb_get(txn_, dbi(table), &k, &v) == 0);
    return std::string(from_val(v));
  }

 private:
  MDB_dbi dbi(Table table) {
    MDB_dbi dbi = 0;
    REQUIRE(::mdb_dbi_open(txn_, k_table_names[static_cast<size_t>(table)], 0, &dbi) == 0);
    return dbi;
  }
  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
};

}  // namespace fabric::store::test
