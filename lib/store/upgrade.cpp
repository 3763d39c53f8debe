// SPDX-License-Identifier: Apache-2.0
// From schema 1 (0.1.0) to 2: pending tasks move from `queue` into lanes. From 2 to 3: a table
// more. In one transaction, so a store is of the one or of the other.
#include "store/upgrade.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>

#include "store/codec.hpp"
#include "store/lmdb_error.hpp"
#include "store/place.hpp"

namespace fabric::store {
namespace {

// Who has an exclusive lock on a file, told by proc_locks(5): opening and closing the file itself
// would drop a lock of ours.
std::optional<long> locked_by_another(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, how, mode, file;
    long pid = 0;
    if (!(words >> number >> kind >> how >> mode >> pid >> file)) continue;
    const std::string inode = ":" + std::to_string(info.st_ino);
    if (kind == "POSIX" && mode == "WRITE" && pid != ::getpid() && file.ends_with(inode))
      return pid;
  }
  return std::nullopt;
}

// A supervisor of the older version would go on with tables that are no more.
Status nobody_else(const std::string& directory) {
  const size_t slash = directory.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "." : directory.substr(0, slash);
  const std::optional<long> other = locked_by_another(parent + "/run/owner");
  if (!other) return {};
  return fail(ErrorCode::unavailable,
              directory + ": written by an older fabric, and process " + std::to_string(*other) +
                  " works with it",
              "stop it with the older 'fabric down', then try again");
}

Status drop_retired_table(Txn& txn) {
  MDB_dbi old = 0;
  int rc = ::mdb_dbi_open(txn.raw(), k_retired_queue, 0, &old);
  if (rc == MDB_NOTFOUND) return {};
  if (rc == 0) rc = ::mdb_drop(txn.raw(), old, 1);
  if (rc != 0) return txn.failed(rc, "dropping a table");
  return {};
}

}  // namespace

Status upgrade(Store& store, const std::string& directory) {
  TRY_STATUS(nobody_else(directory));
  WriteTxn txn = TRY(store.write());
  TRY_STATUS(txn.upgrade());
  return txn.commit();
}

Status WriteTxn::upgrade() {
  Txn& txn = *state_;
  record::Schema schema;
  TRY(txn.get_record(Table::meta, k_meta_schema, schema));
  if (schema.version() >= k_schema_version) return {};  // another process was first
  if (schema.version() < 2) TRY_STATUS(move_to_lanes());
  schema.set_version(k_schema_version);
  return txn.put_record(Table::meta, k_meta_schema, schema);
}

Status WriteTxn::move_to_lanes() {
  Txn& txn = *state_;
  std::vector<uint64_t> all;
  TRY_STATUS(collect(txn, Table::tasks, {}, k_no_limit, all));
  for (uint64_t sequence : all) {
    record::Task& record = txn.task_record;
    if (!TRY(txn.load_task(sequence, record)) ||
        is_terminal(static_cast<TaskState>(record.state())))
      continue;
    record.set_share(record.user());
    record.set_queue(record.agent_number());
    record.set_level(record.priority());
    const std::string share = record.share();
    record.set_share_number(TRY(number_of(NameKind::share, share)));
    TRY_STATUS(txn.put_record(Table::tasks, task_key(sequence), record));
    const Place place = place_of(sequence, record);
    TRY_STATUS(txn.put(place.table, place.key, {}));
  }
  return drop_retired_table(txn);
}

}  // namespace fabric::store
