// SPDX-License-Identifier: Apache-2.0
#include "disk_recorder.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace fabric::crash {
namespace {

DiskRecorder* recorder = nullptr;  // the calls below have no other way to it

}  // namespace

DiskRecorder::DiskRecorder(std::string path) : path_(std::move(path)) { recorder = this; }
DiskRecorder::~DiskRecorder() { recorder = nullptr; }

bool DiskRecorder::is_the_file(int fd) {
  struct stat file {};
  if (!found_) {
    if (::stat(path_.c_str(), &file) != 0) return false;
    device_ = file.st_dev;
    inode_ = file.st_ino;
    found_ = true;
  }
  return ::fstat(fd, &file) == 0 && file.st_dev == device_ && file.st_ino == inode_;
}

void DiskRecorder::wrote(int fd, const void* bytes, size_t size, off_t offset) {
  if (!is_the_file(fd)) return;
  const bool synchronous = (::fcntl(fd, F_GETFL) & O_DSYNC) != 0;
  operations_.push_back({DiskOperation::Kind::write, synchronous, static_cast<uint64_t>(offset),
                         std::string(static_cast<const char*>(bytes), size)});
}

void DiskRecorder::synced(int fd) {
  if (is_the_file(fd)) operations_.push_back({DiskOperation::Kind::sync, false, 0, {}});
}

void DiskRecorder::lengthened(int fd, off_t length) {
  if (is_the_file(fd))
    operations_.push_back(
        {DiskOperation::Kind::lengthen, false, static_cast<uint64_t>(length), {}});
}

void DiskRecorder::escape(int fd, const char* call) {
  if (is_the_file(fd)) escaped_ = call;
}

namespace {

ssize_t write_at(int fd, const void* bytes, size_t size, off_t offset) {
  const ssize_t n = ::syscall(SYS_pwrite64, fd, bytes, size, offset);
  if (n > 0 && recorder != nullptr) recorder->wrote(fd, bytes, static_cast<size_t>(n), offset);
  return n;
}

// `offset` < 0: where the descriptor stands, which has been moved by `n` already.
void note_parts(int fd, const iovec* parts, int count, ssize_t n, off_t offset) {
  if (n <= 0 || recorder == nullptr) return;
  if (offset < 0) offset = ::lseek(fd, 0, SEEK_CUR) - n;
  auto left = static_cast<size_t>(n);
  for (int i = 0; i < count && left > 0; ++i) {
    const size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
    recorder->wrote(fd, parts[i].iov_base, size, offset);
    offset += static_cast<off_t>(size);
    left -= size;
  }
}

}  // namespace
}  // namespace fabric::crash

using fabric::crash::recorder;

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return fabric::crash::write_at(fd, bytes, size, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  return fabric::crash::write_at(fd, bytes, size, offset);
}
ssize_t write(int fd, const void* bytes, size_t size) {
  const ssize_t n = ::syscall(SYS_write, fd, bytes, size);
  const iovec part{const_cast<void*>(bytes), size};
  fabric::crash::note_parts(fd, &part, 1, n, -1);
  return n;
}
ssize_t writev(int fd, const iovec* parts, int count) {
  const ssize_t n = ::syscall(SYS_writev, fd, parts, count);
  fabric::crash::note_parts(fd, parts, count, n, -1);
  return n;
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  const ssize_t n = ::syscall(SYS_pwritev, fd, parts, count, offset, 0);
  fabric::crash::note_parts(fd, parts, count, n, offset);
  return n;
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) {
  return ::pwritev(fd, parts, count, offset);
}
int fdatasync(int fd) {
  const long rc = ::syscall(SYS_fdatasync, fd);
  if (rc == 0 && recorder != nullptr) recorder->synced(fd);
  return static_cast<int>(rc);
}
int fsync(int fd) {
  const long rc = ::syscall(SYS_fsync, fd);
  if (rc == 0 && recorder != nullptr) recorder->synced(fd);
  return static_cast<int>(rc);
}
int fallocate(int fd, int mode, off_t offset, off_t size) {
  const long rc = ::syscall(SYS_fallocate, fd, mode, offset, size);
  if (rc == 0 && recorder != nullptr && mode == 0) recorder->lengthened(fd, offset + size);
  if (rc == 0 && recorder != nullptr && mode != 0) recorder->escape(fd, "fallocate with a mode");
  return static_cast<int>(rc);
}
// Of nothing that is synced is anything taken away, so a recording has no place for it.
int ftruncate(int fd, off_t size) noexcept {
  const long rc = ::syscall(SYS_ftruncate, fd, size);
  if (rc == 0 && recorder != nullptr) recorder->escape(fd, "ftruncate");
  return static_cast<int>(rc);
}
// A writable map would write behind the recorder's back (MDB_WRITEMAP).
void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  if (fd >= 0 && recorder != nullptr && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0)
    recorder->escape(fd, "a writable map");
  return reinterpret_cast<void*>(::syscall(SYS_mmap, address, size, protection, flags, fd, offset));
}

}  // extern "C"
