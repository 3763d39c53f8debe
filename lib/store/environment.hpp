// SPDX-License-Identifier: Apache-2.0
// One open LMDB environment: how it is opened with care, grown, reopened after an I/O error of its
// meta page, and closed always (an environment that is not closed leaks a reader slot).
//
// Remapping needs a moment without transactions in this process; `active_` counts them, and who
// wants to remap waits for the others with the door shut.
// Threads: all of it may be called from any; a transaction stays with its thread.
#pragma once

#include <lmdb.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "store/options.hpp"
#include "store/store.hpp"
#include "store/tables.hpp"

namespace fabric::store {

constexpr uint32_t k_schema_version = 3;
constexpr unsigned k_max_readers = 2048;

class Environment {
 public:
  static Result<std::unique_ptr<Environment>> open(const std::string& directory, Store::Mode mode,
                                                   const OpenOptions& options);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  Result<MDB_txn*> begin_read();
  Result<MDB_txn*> begin_write();
  // Every outermost transaction that began says so when it is over; `rc` is what LMDB said last.
  void ended(bool wrote, int rc);
  // After a commit: keeps the file whole and tells who watches the bell. Never fails: it is done.
  void committed(uint64_t transaction);

  [[nodiscard]] MDB_dbi table(Table table) const { return tables_[static_cast<size_t>(table)]; }
  [[nodiscard]] MDB_env* get() const { return env_; }
  [[nodiscard]] const Fd& directory() const { return directory_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& bell_path() const { return bell_path_; }
  [[nodiscard]] uint32_t schema_version() const { return schema_; }
  // Its schema is an older one. When opened to read, no table is there to be read.
  [[nodiscard]] bool outdated() const { return schema_ < k_schema_version; }
  void upgraded() { schema_ = k_schema_version; }

  // For work that is not a transaction but reads the map (copying).
  class Use {
   public:
    explicit Use(Environment& environment);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Environment& environment_;
  };

 private:
  Environment() = default;
  Status open_directory();
  Status open_lmdb();
  Status open_lmdb_once();
  Status open_tables();
  Status create_tables(bool fresh);
  Status check_schema(MDB_txn* txn);
  void open_bell();
  void close_lmdb();
  void enter();
  void leave();
  // Runs `work` while no transaction of this process is active; false when others did not end in
  // time.
  template <class Work>
  bool alone(Work work);
  void reopen();
  void remap(uint64_t bytes);
  [[nodiscard]] uint64_t allowed_map(uint64_t bytes) const;
  void grow_if_needed();
  Result<MDB_txn*> begin(unsigned flags);

  std::string path_, bell_path_;
  Store::Mode mode_ = Store::Mode::read;
  OpenOptions options_;
  Fd directory_, bell_;
  bool registered_ = false;
  pid_t process_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  MDB_env* env_ = nullptr;
  uint64_t map_bytes_ = 0;
  uint32_t schema_ = 0;
  std::array<MDB_dbi, k_tables> tables_{};

  std::mutex door_;
  std::condition_variable left_, opened_;
  bool shut_ = false;  // somebody waits to be alone, for a second at most
  unsigned active_ = 0;
  std::atomic<bool> map_was_full_ = false;
  std::atomic<std::thread::id> writer_;
};

}  // namespace fabric::store
