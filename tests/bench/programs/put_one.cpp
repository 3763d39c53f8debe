// SPDX-License-Identifier: Apache-2.0
// The floor of a durable command: opens an LMDB environment, puts one record, commits (synced).
// Usage: put_one DIRECTORY
#include <lmdb.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi table = 0;
  if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, size_t{1} << 30) != 0 ||
      mdb_env_open(env, argv[1], 0, 0600) != 0 || mdb_txn_begin(env, nullptr, 0, &txn) != 0 ||
      mdb_dbi_open(txn, nullptr, 0, &table) != 0)
    return 1;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  char id[32]{};
  const pid_t pid = ::getpid();
  std::memcpy(id, &now, sizeof now);
  std::memcpy(id + sizeof now, &pid, sizeof pid);
  char record[256]{};
  MDB_val key{sizeof id, id};
  MDB_val value{sizeof record, record};
  if (mdb_put(txn, table, &key, &value, 0) != 0 || mdb_txn_commit(txn) != 0) return 1;
  mdb_env_close(env);
  return 0;
}
