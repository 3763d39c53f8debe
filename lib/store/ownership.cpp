// SPDX-License-Identifier: Apache-2.0
#include "store/ownership.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

namespace fabric::store {
namespace {

// What this process holds: closing any other descriptor of the file would drop its lock, so nothing
// here opens the file while it is held.
struct Held {
  std::mutex mutex;
  dev_t device = 0;
  ino_t inode = 0;
  short type = F_UNLCK;
  pid_t process = 0;  // a fork takes no lock along
  [[nodiscard]] bool any() const { return type != F_UNLCK && process == ::getpid(); }
};
Held& held() {
  static Held held;
  return held;
}

bool is_held(const Held& mine, const std::string& path) {
  struct stat info {};
  return mine.any() && ::stat(path.c_str(), &info) == 0 && info.st_dev == mine.device &&
         info.st_ino == mine.inode;
}

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// 0, or errno. EAGAIN and EACCES: somebody else holds it.
int try_lock(int fd, short type) {
  struct flock lock = whole_file(type);
  while (::fcntl(fd, F_SETLK, &lock) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

// There is no lock call with a deadline: ask again, ever less often.
int lock_within(int fd, short type, Duration patience) {
  const Clock& clock = system_clock();
  const MonoTime deadline = clock.monotonic() + patience;
  Duration pause = Duration::millis(1);
  for (;;) {
    const int error = try_lock(fd, type);
    if (error != EAGAIN && error != EACCES) return error;
    const Duration left = deadline - clock.monotonic();
    if (left.ns <= 0) return error;
    const Duration wait = std::min(pause, left);
    const struct timespec time { wait.ns / 1000000000, wait.ns % 1000000000 };
    ::nanosleep(&time, nullptr);
    pause = std::min(Duration{pause.ns * 2}, Duration::millis(20));
  }
}

// A file that was removed or replaced after we opened it locks nobody out.
bool is_current(int fd, const std::string& path) {
  struct stat opened {
  }, named{};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

Result<std::optional<Ownership>> Ownership::acquire(const std::string& path, Kind kind,
                                                    Duration patience) {
  std::lock_guard lock(held().mutex);
  if (held().any()) return fail(ErrorCode::failed, path + ": this process is an owner already");
  const short type = kind == Kind::exclusive ? F_WRLCK : F_RDLCK;
  for (int attempt = 0; attempt < 3; ++attempt) {
    Fd file = TRY(open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return fail_errno(errno, path);
    if (!S_ISREG(info.st_mode)) return fail(ErrorCode::denied, path + ": is not a plain file");
    const int error = lock_within(file.get(), type, patience);
    if (error == EAGAIN || error == EACCES) return std::optional<Ownership>{};
    if (error != 0) return fail_errno(error, path + ": locking");
    if (!is_current(file.get(), path)) continue;
    held().device = info.st_dev;
    held().inode = info.st_ino;
    held().type = type;
    held().process = ::getpid();
    return std::optional<Ownership>(Ownership(std::move(file), kind));
  }
  return fail(ErrorCode::failed, path + ": is replaced again and again");
}

Result<std::optional<pid_t>> Ownership::holder(const std::string& path) {
  std::lock_guard lock(held().mutex);
  if (is_held(held(), path)) {
    if (held().type == F_WRLCK) return std::optional<pid_t>(::getpid());
    return std::optional<pid_t>{};  // while we share it nobody has it for himself
  }
  int raw = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (raw < 0 && errno == ENOENT) return std::optional<pid_t>{};
  if (raw < 0) return fail_errno(errno, path);
  Fd file(raw);
  struct flock probe = whole_file(F_RDLCK);  // only an exclusive lock stands in its way
  if (::fcntl(raw, F_GETLK, &probe) != 0) return fail_errno(errno, path);
  if (probe.l_type == F_UNLCK) return std::optional<pid_t>{};
  return std::optional<pid_t>(probe.l_pid);
}

Ownership::Ownership(Fd file, Kind kind) : file_(std::move(file)) {
  if (kind == Kind::exclusive) return;
  sigset_t stops;
  ::sigemptyset(&stops);
  for (int signal : {SIGTSTP, SIGTTIN, SIGTTOU}) ::sigaddset(&stops, signal);
  signals_blocked_ = ::pthread_sigmask(SIG_BLOCK, &stops, &saved_signals_) == 0;
}

Ownership::Ownership(Ownership&& other) noexcept
    : file_(std::move(other.file_)),
      signals_blocked_(std::exchange(other.signals_blocked_, false)),
      saved_signals_(other.saved_signals_) {}

Ownership& Ownership::operator=(Ownership&& other) noexcept {
  if (this != &other) {
    Ownership old(std::move(*this));  // released when we return
    file_ = std::move(other.file_);
    signals_blocked_ = std::exchange(other.signals_blocked_, false);
    saved_signals_ = other.saved_signals_;
  }
  return *this;
}

Ownership::~Ownership() {
  if (file_) {
    std::lock_guard lock(held().mutex);
    file_.reset();
    held().type = F_UNLCK;
  }
  if (signals_blocked_) ::pthread_sigmask(SIG_SETMASK, &saved_signals_, nullptr);
}

}  // namespace fabric::store
