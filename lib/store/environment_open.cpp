// SPDX-License-Identifier: Apache-2.0
// Opening: what is refused, what is made, what is checked before LMDB maps the file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "store/data_file.hpp"
#include "store/directory.hpp"
#include "store/environment.hpp"
#include "store/lmdb_error.hpp"
#include "store/meta_page.hpp"
#include "store/page_check.hpp"
#include "store/records.pb.h"
#include "store/value.hpp"

namespace fabric::store {
namespace {

// LMDB's locks belong to the process: a second environment on the same file, when closed, drops the
// locks of the first. So the process keeps a list of what it has open.
class OpenList {
 public:
  bool add(dev_t device, ino_t inode) {
    std::lock_guard lock(mutex_);
    return open_.emplace(device, inode).second;
  }
  void remove(dev_t device, ino_t inode) {
    std::lock_guard lock(mutex_);
    open_.erase({device, inode});
  }

 private:
  std::mutex mutex_;
  std::set<std::pair<dev_t, ino_t>> open_;
};
OpenList& open_list() {
  static OpenList list;
  return list;
}

// sizeof(MDB_txninfo) + (readers - 1) * sizeof(MDB_reader).
constexpr off_t k_lock_file_bytes = 192 + off_t{k_max_readers - 1} * 64;

// LMDB makes it sparse and maps it: on a full disk the first reader would die of SIGBUS. Nothing of
// this process may have the environment open (OpenList), since closing the file drops its locks.
Status make_lock_file(const Fd& directory) {
  const std::optional<struct stat> there = TRY(stat_plain_file(directory, k_lock_file));
  if (there && there->st_size >= k_lock_file_bytes) return {};
  int raw = ::openat(directory.get(), k_lock_file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (raw < 0 && errno == EROFS) return {};  // LMDB reads a read-only file system without it
  if (raw < 0) return fail_lmdb(errno, k_lock_file);
  const Fd file(raw);
  const int rc = ::posix_fallocate(raw, 0, k_lock_file_bytes);
  if (is_disk_full(rc)) return fail_lmdb(rc, k_lock_file);
  return {};
}

// Whoever made it was killed within its very first write, before anything could be committed: LMDB
// writes both meta pages at once, but a kill can leave one. Then it is made anew. Only alone: LMDB
// holds byte 0 of the lock file while it makes a file, and shared while it has one open.
Status remove_unborn(const Fd& directory) {
  const auto page = static_cast<off_t>(::sysconf(_SC_PAGESIZE));
  const auto unborn = [&]() -> Result<bool> {
    const std::optional<struct stat> data = TRY(stat_plain_file(directory, k_data_file));
    if (!data || data->st_size == 0 || data->st_size >= 2 * page) return false;
    const Fd file = TRY(open_at(directory, k_data_file, O_RDONLY | O_NOFOLLOW));
    return is_unborn(file.get());
  };
  if (!TRY(unborn())) return {};
  const Fd lock_file = TRY(open_at(directory, k_lock_file, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct flock alone {};
  alone.l_type = F_WRLCK;
  alone.l_whence = SEEK_SET;
  alone.l_len = 1;
  if (::fcntl(lock_file.get(), F_SETLK, &alone) != 0) return {};  // it is being made just now
  if (TRY(unborn())) ::unlinkat(directory.get(), k_data_file, 0);
  return {};
}

// LMDB trusts the page that lists the tables, and everybody reads it first.
Status check_list_of_tables(MDB_env* env, MDB_txn* txn) {
  int fd = -1;
  ::mdb_env_get_fd(env, &fd);
  const std::optional<MetaPage> meta = read_meta_page(fd, ::mdb_txn_id(txn));
  if (!meta) return {};  // replaced already, so somebody just wrote to a list that is sound
  Status status;
  check_table_list(fd, *meta, [&status](const std::string& problem) {
    status = fail(ErrorCode::failed, "data.mdb is damaged: " + problem,
                  "restore a backup ('fabric store backup' makes one)");
  });
  return status;
}

}  // namespace

Result<std::unique_ptr<Environment>> Environment::open(const std::string& directory,
                                                       Store::Mode mode,
                                                       const OpenOptions& options) {
  std::unique_ptr<Environment> environment(new Environment);
  environment->path_ = directory;
  environment->bell_path_ = directory + "/" + k_bell_file;
  environment->mode_ = mode;
  environment->options_ = options;
  TRY_STATUS(environment->open_directory());
  TRY_STATUS(environment->open_lmdb());
  if (mode != Store::Mode::read) environment->open_bell();
  return environment;
}

Environment::~Environment() {
  // After a fork this is a copy of somebody else's: closing it would clear his reader slots.
  if (!registered_ || process_ != ::getpid()) return;
  close_lmdb();
  open_list().remove(device_, inode_);
}

Status Environment::open_directory() {
  directory_ = TRY(open_store_directory(path_, mode_ == Store::Mode::create));
  struct stat info {};
  if (::fstat(directory_.get(), &info) != 0) return fail_errno(errno, path_);
  if (!open_list().add(info.st_dev, info.st_ino))
    return fail(ErrorCode::failed, path_ + ": this process has it open already");
  registered_ = true;
  process_ = ::getpid();
  device_ = info.st_dev;
  inode_ = info.st_ino;
  return {};
}

Status Environment::open_lmdb() {
  map_bytes_ = allowed_map(std::max(map_bytes_, options_.map_bytes));
  Status status = open_lmdb_once();
  // Somebody compacted it meanwhile (backup.cpp): what we opened is not what is there now.
  for (int attempt = 0; attempt < 2 && !status && status.error().code == ErrorCode::interrupted;
       ++attempt)
    status = open_lmdb_once();
  if (status) return {};
  if (status.error().code == ErrorCode::interrupted) status.error().code = ErrorCode::unavailable;
  return in_context(std::move(status), path_);
}

Status Environment::open_lmdb_once() {
  close_lmdb();
  if (mode_ == Store::Mode::create) TRY_STATUS(remove_unborn(directory_));
  std::optional<struct stat> data = TRY(stat_plain_file(directory_, k_data_file));
  if (!data && mode_ != Store::Mode::create)
    return fail(ErrorCode::not_found, "there is no store", "run 'fabric init'");
  if (data) {
    Fd file = TRY(open_at(directory_, k_data_file, O_RDONLY | O_NOFOLLOW));
    TRY_STATUS(check_data_file(file.get()));
  }
  TRY_STATUS(make_lock_file(directory_));

  const std::string path = path_of(directory_);
  const unsigned flags = MDB_NOTLS | (mode_ == Store::Mode::read ? MDB_RDONLY : 0U);
  int rc = 0;
  for (;;) {  // address space may be short for other reasons than RLIMIT_AS
    if ((rc = ::mdb_env_create(&env_)) != 0) return fail_lmdb(rc, "opening");
    ::mdb_env_set_maxreaders(env_, k_max_readers);
    ::mdb_env_set_maxdbs(env_, k_tables + 5);
    ::mdb_env_set_mapsize(env_, map_bytes_);
    rc = ::mdb_env_open(env_, path.c_str(), flags, 0600);
    if (rc != ENOMEM || map_bytes_ <= uint64_t{16} << 20) break;
    close_lmdb();
    map_bytes_ = allowed_map(map_bytes_ / 2);
  }
  // The data file is sound, so it is the lock file, which compact() has just emptied.
  if ((rc == EINVAL || rc == MDB_INVALID) && data)
    return fail(ErrorCode::interrupted, "is being compacted, try again");
  if (rc != 0) return fail_lmdb(rc, "opening");

  int fd = -1;
  struct stat opened {};
  ::mdb_env_get_fd(env_, &fd);
  data = TRY(stat_plain_file(directory_, k_data_file));
  if (::fstat(fd, &opened) != 0 || !data || data->st_ino != opened.st_ino)
    return fail(ErrorCode::interrupted, "was replaced while it was opened");
  int dead = 0;
  ::mdb_reader_check(env_, &dead);
  TRY_STATUS(open_tables());
  if (mode_ == Store::Mode::create) TRY_STATUS(sync_directory(directory_));
  return {};
}

Status Environment::open_tables() {
  MDB_txn* txn = nullptr;
  if (int rc = ::mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn)) return fail_lmdb(rc, "opening");
  Status checked = check_list_of_tables(env_, txn);
  int rc = checked ? ::mdb_dbi_open(txn, k_table_names[0], 0, tables_.data()) : 0;
  if (checked && rc == 0) checked = check_schema(txn);
  const bool old = checked && rc == 0 && outdated();
  for (size_t i = 1; rc == 0 && checked && !old && i < k_tables; ++i)
    rc = ::mdb_dbi_open(txn, k_table_names[i], 0, &tables_[i]);
  if (rc == 0 && checked) {
    rc = ::mdb_txn_commit(txn);  // keeps the handles
    if (rc != 0) return fail_lmdb(rc, "opening");
    return old && mode_ != Store::Mode::read ? create_tables(false) : Status{};
  }
  ::mdb_txn_abort(txn);
  if (!checked) return checked;
  if (rc != MDB_NOTFOUND) return fail_lmdb(rc, "opening tables");
  if (mode_ == Store::Mode::create) return create_tables(true);
  return fail(ErrorCode::not_found, "the store was never finished", "run 'fabric init'");
}

// `fresh`: none is there. Otherwise those are added that an older schema lacked.
Status Environment::create_tables(bool fresh) {
  MDB_txn* txn = nullptr;
  if (int rc = ::mdb_txn_begin(env_, nullptr, 0, &txn)) return fail_lmdb(rc, "making the store");
  record::Schema schema;
  schema.set_version(k_schema_version);
  schema.set_created_by("fabric");
  const std::string value = make_value(Table::meta, k_meta_schema, schema.SerializeAsString());
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < k_tables; ++i)
    rc = ::mdb_dbi_open(txn, k_table_names[i], MDB_CREATE, &tables_[i]);
  MDB_val key = to_val(k_meta_schema);
  MDB_val data = to_val(value);
  // Two processes may have come here at once: the second finds what the first made.
  if (rc == 0 && fresh) rc = ::mdb_put(txn, tables_[0], &key, &data, MDB_NOOVERWRITE);
  if (rc == MDB_KEYEXIST) rc = 0;
  rc = rc == 0 ? ::mdb_txn_commit(txn) : (::mdb_txn_abort(txn), rc);
  if (rc != 0) return fail_lmdb(rc, "making the store");
  if (fresh) schema_ = k_schema_version;
  return {};
}

Status Environment::check_schema(MDB_txn* txn) {
  MDB_val key = to_val(k_meta_schema);
  MDB_val data{};
  if (int rc = ::mdb_get(txn, tables_[0], &key, &data)) return fail_lmdb(rc, "reading the schema");
  const std::string_view body = TRY(open_value(Table::meta, k_meta_schema, from_val(data)));
  record::Schema schema;
  if (!schema.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail_damaged(Table::meta, k_meta_schema, "does not parse");
  schema_ = schema.version();
  if (schema_ > k_schema_version)
    return fail(ErrorCode::unavailable, "written by a newer fabric (schema " +
                                            std::to_string(schema_) + ", this one knows " +
                                            std::to_string(k_schema_version) + "): upgrade fabric");
  return {};
}

void Environment::open_bell() {
  int raw = ::openat(directory_.get(), k_bell_file,
                     O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
  bell_ = Fd(raw);
}

void Environment::close_lmdb() {
  if (env_ != nullptr) ::mdb_env_close(env_);
  env_ = nullptr;
}

}  // namespace fabric::store
