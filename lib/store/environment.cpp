// SPDX-License-Identifier: Apache-2.0
#include "store/environment.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "store/data_file.hpp"
#include "store/lmdb_error.hpp"

namespace fabric::store {

Environment::Use::Use(Environment& environment) : environment_(environment) {
  environment_.enter();
}
Environment::Use::~Use() { environment_.leave(); }

void Environment::enter() {
  std::unique_lock lock(door_);
  opened_.wait(lock, [this] { return !shut_; });
  ++active_;
}

void Environment::leave() {
  std::lock_guard lock(door_);
  --active_;
  left_.notify_all();
}

template <class Work>
bool Environment::alone(Work work) {
  std::unique_lock lock(door_);
  opened_.wait(lock, [this] { return !shut_; });
  shut_ = true;  // nobody enters meanwhile: busy readers would never all be out at once
  const bool empty = left_.wait_for(lock, std::chrono::seconds(1), [this] { return active_ == 0; });
  if (empty) work();
  shut_ = false;
  opened_.notify_all();
  return empty;
}

uint64_t Environment::allowed_map(uint64_t bytes) const {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    bytes = std::min<uint64_t>(bytes, limit.rlim_cur / 2);
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return std::max(bytes / page, uint64_t{16}) * page;
}

void Environment::remap(uint64_t bytes) {
  const int rc = ::mdb_env_set_mapsize(env_, bytes);
  if (rc == 0) {
    MDB_envinfo info{};
    ::mdb_env_info(env_, &info);
    map_bytes_ = info.me_mapsize;
    return;
  }
  reopen();  // LMDB has let go of the old map already
}

void Environment::reopen() {
  close_lmdb();
  if (!open_lmdb()) close_lmdb();  // the next begin() tries again
}

void Environment::grow_if_needed() {
  MDB_envinfo info{};
  MDB_stat stat{};
  {
    std::lock_guard lock(door_);
    if (env_ == nullptr || ::mdb_env_info(env_, &info) != 0 || ::mdb_env_stat(env_, &stat) != 0)
      return;
  }
  const uint64_t used = (info.me_last_pgno + 1) * stat.ms_psize;
  const bool full = map_was_full_.exchange(false);
  if (!full && used + options_.headroom_bytes <= info.me_mapsize) return;
  uint64_t want = std::max<uint64_t>(info.me_mapsize * 2, used + 2 * options_.headroom_bytes);
  want = allowed_map(want);
  if (want <= info.me_mapsize) return;
  alone([this, want] {
    if (want > map_bytes_) remap(want);  // another thread may have been first
  });
}

Result<MDB_txn*> Environment::begin(unsigned flags) {
  int rc = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    enter();
    MDB_txn* txn = nullptr;
    rc = env_ == nullptr ? MDB_PANIC : ::mdb_txn_begin(env_, nullptr, flags, &txn);
    if (rc == 0) return txn;
    int dead = 0;
    if (rc == MDB_READERS_FULL) ::mdb_reader_check(env_, &dead);
    leave();
    if (rc == MDB_READERS_FULL) {
      if (dead == 0) break;
    } else if (rc == MDB_MAP_RESIZED) {  // another process has grown it
      if (!alone([this] { remap(0); })) break;
    } else if (rc == MDB_PANIC) {  // a meta page could not be written: LMDB wants a new environment
      if (!alone([this] { reopen(); })) break;
    } else {
      break;
    }
  }
  return fail_lmdb(rc, path_ + ": beginning a transaction");
}

Result<MDB_txn*> Environment::begin_read() { return begin(MDB_RDONLY); }

Result<MDB_txn*> Environment::begin_write() {
  if (mode_ == Store::Mode::read) return fail(ErrorCode::failed, path_ + ": opened for reading");
  if (writer_.load() == std::this_thread::get_id())
    return fail(ErrorCode::failed, path_ + ": this thread writes already");
  grow_if_needed();
  MDB_txn* txn = TRY(begin(0));
  writer_.store(std::this_thread::get_id());
  return txn;
}

void Environment::ended(bool wrote, int rc) {
  if (rc == MDB_MAP_FULL) map_was_full_ = true;
  if (wrote) {
    std::thread::id self = std::this_thread::get_id();
    writer_.compare_exchange_strong(self, std::thread::id());
  }
  leave();
}

void Environment::committed(uint64_t transaction) {
  MDB_envinfo info{};
  MDB_stat stat{};
  int fd = -1;
  if (::mdb_env_info(env_, &info) == 0 && ::mdb_env_stat(env_, &stat) == 0 &&
      ::mdb_env_get_fd(env_, &fd) == 0)
    lengthen_data_file(fd, (info.me_last_pgno + 1) * stat.ms_psize);
  if (!bell_) return;
  const ssize_t written = ::pwrite(bell_.get(), &transaction, sizeof transaction, 0);
  static_cast<void>(written);
}

}  // namespace fabric::store
