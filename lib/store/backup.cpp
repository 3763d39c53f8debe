// SPDX-License-Identifier: Apache-2.0
// Copies without free pages: beside the running store (backup) or in its place (compact).
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "store/data_file.hpp"
#include "store/directory.hpp"
#include "store/environment.hpp"
#include "store/lmdb_error.hpp"
#include "store/store_state.hpp"

namespace fabric::store {
namespace {

constexpr const char* k_partial = "data.mdb.partial";

// Writes a compacted copy of `env` as `directory`/data.mdb: whole or not at all.
Status copy_into(MDB_env* env, const Fd& directory) {
  ::unlinkat(directory.get(), k_partial, 0);  // of one that was killed
  Fd file = TRY(open_at(directory, k_partial, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  int rc = ::mdb_env_copyfd2(env, file.get(), MDB_CP_COMPACT);
  if (rc == MDB_INCOMPATIBLE) {  // pages that belong to nobody: copy them along
    rc = ::ftruncate(file.get(), 0) != 0 || ::lseek(file.get(), 0, SEEK_SET) != 0
             ? errno
             : ::mdb_env_copyfd2(env, file.get(), 0);
  }
  if (rc == 0 && ::fsync(file.get()) != 0) rc = errno;
  Status status = rc == 0 ? check_data_file(file.get()) : Status(fail_lmdb(rc, "copying"));
  if (status && ::renameat(directory.get(), k_partial, directory.get(), k_data_file) != 0)
    status = fail_errno(errno, k_data_file);
  if (!status) {
    ::unlinkat(directory.get(), k_partial, 0);
    return status;
  }
  return sync_directory(directory);
}

Result<bool> is_empty(const Fd& directory) {
  Fd copy = TRY(open_at(directory, ".", O_RDONLY | O_DIRECTORY));
  DIR* entries = ::fdopendir(copy.get());
  if (entries == nullptr) return fail_errno(errno, "reading a directory");
  static_cast<void>(copy.release());  // closedir closes it
  bool empty = true;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name != k_partial) empty = false;
  }
  ::closedir(entries);
  return empty;
}

// LMDB's own lock: everybody who has the environment open shares byte 0 of the lock file.
Result<Fd> lock_alone(const Fd& directory) {
  TRY(stat_plain_file(directory, k_lock_file));
  Fd file = TRY(open_at(directory, k_lock_file, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  if (::fcntl(file.get(), F_SETLK, &lock) == 0) return file;
  if (errno != EAGAIN && errno != EACCES) return fail_errno(errno, k_lock_file);
  ::fcntl(file.get(), F_GETLK, &lock);
  return fail(ErrorCode::unavailable,
              "process " + std::to_string(lock.l_pid) + " has the store open",
              "stop the supervisor ('fabric down') and try again");
}

struct CloseEnv {
  void operator()(MDB_env* env) const { ::mdb_env_close(env); }
};

Status rewrite(const Fd& directory) {
  const Fd alone = TRY(lock_alone(directory));
  {
    Fd data = TRY(open_at(directory, k_data_file, O_RDONLY | O_NOFOLLOW));
    TRY_STATUS(check_data_file(data.get()));
  }
  MDB_env* raw = nullptr;
  if (int rc = ::mdb_env_create(&raw)) return fail_lmdb(rc, "opening");
  const std::unique_ptr<MDB_env, CloseEnv> env(raw);
  // No locks: we are alone, and LMDB closing the lock file would end that.
  if (int rc = ::mdb_env_open(raw, path_of(directory).c_str(), MDB_RDONLY | MDB_NOLOCK, 0600))
    return fail_lmdb(rc, "opening");
  // The lock file tells the number of the last transaction, which begins anew. Empty, it is made
  // anew by whoever comes next; who waits for it already sees that and tries again.
  if (::ftruncate(alone.get(), 0) != 0) return fail_errno(errno, k_lock_file);
  return copy_into(raw, directory);
}

}  // namespace

Status Store::backup(const std::string& path) const {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, path);
  Fd target = TRY(open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!TRY(is_empty(target)))
    return fail(ErrorCode::usage, path + ": is not empty, and a backup overwrites nothing",
                "name a new directory");
  const Environment::Use use(*state_->environment);
  TRY_STATUS(in_context(copy_into(state_->environment->get(), target), path));
  Fd parent = TRY(open_at(target, "..", O_RDONLY | O_DIRECTORY));
  return sync_directory(parent);
}

Status compact(const std::string& path) {
  // Opened once as everybody does: refuses what must not be touched, and that this process has it.
  TRY(Store::open(path, Store::Mode::write));
  const Fd directory = TRY(open_store_directory(path, false));
  TRY_STATUS(in_context(rewrite(directory), path));
  TRY(Store::open(path, Store::Mode::write));
  return {};
}

}  // namespace fabric::store
