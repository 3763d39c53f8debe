// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "store/environment.hpp"
#include "store/lmdb_error.hpp"
#include "store/store_state.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

constexpr MDB_dbi k_free_table = 0;  // LMDB's own list of pages that may be used again

uint64_t bytes_of(const MDB_stat& stat) {
  return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
}

// Every row of the free table is a list of page numbers that begins with its length.
Result<uint64_t> free_pages(const Txn& txn) {
  MDB_cursor* cursor = nullptr;
  if (int rc = ::mdb_cursor_open(txn.raw(), k_free_table, &cursor))
    return fail_lmdb(rc, "reading free pages");
  uint64_t pages = 0;
  MDB_val key{};
  MDB_val data{};
  int rc = 0;
  while ((rc = ::mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
    size_t length = 0;
    if (data.mv_size >= sizeof length) std::memcpy(&length, data.mv_data, sizeof length);
    pages += length;
  }
  ::mdb_cursor_close(cursor);
  if (rc != MDB_NOTFOUND) return fail_lmdb(rc, "reading free pages");
  return pages;
}

}  // namespace

Result<StoreStat> Store::stat() const {
  Environment& environment = *state_->environment;
  ReadTxn reader = TRY(read());
  const Txn& txn = *reader.state_;
  StoreStat out;
  out.schema_version = environment.schema_version();
  MDB_envinfo info{};
  ::mdb_env_info(environment.get(), &info);
  out.map_bytes = info.me_mapsize;
  out.last_transaction = ::mdb_txn_id(txn.raw());
  out.readers = info.me_numreaders;
  out.max_readers = info.me_maxreaders;
  int fd = -1;
  ::mdb_env_get_fd(environment.get(), &fd);
  struct stat file {};
  if (::fstat(fd, &file) != 0) return fail_errno(errno, environment.path());
  out.file_bytes = static_cast<uint64_t>(file.st_size);
  uint64_t page_size = 0;
  for (size_t i = 0; i < k_tables; ++i) {
    MDB_stat stat{};
    if (int rc = ::mdb_stat(txn.raw(), environment.table(static_cast<Table>(i)), &stat))
      return fail_lmdb(rc, environment.path());
    page_size = stat.ms_psize;
    out.tables.push_back({k_table_names[i], stat.ms_entries, bytes_of(stat)});
  }
  const uint64_t pages = info.me_last_pgno + 1;
  out.used_bytes = (pages - std::min(pages, TRY(free_pages(txn)))) * page_size;
  return out;
}

}  // namespace fabric::store
