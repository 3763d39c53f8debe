// SPDX-License-Identifier: Apache-2.0
#include "base/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace fabric {

void Fd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<Fd> Fd::duplicate() const {
  int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail_errno(errno, "duplicating a descriptor");
  return Fd(copy);
}

Result<Fd> open_file(const std::string& path, int flags, unsigned mode) {
  int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return fail_errno(errno, path);
  return Fd(fd);
}

Result<Fd> open_at(const Fd& directory, const std::string& name, int flags, unsigned mode) {
  int fd = ::openat(directory.get(), name.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return fail_errno(errno, name);
  return Fd(fd);
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "write");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Result<std::string> read_all(int fd, size_t limit) {
  std::string out;
  char buffer[65536];
  for (;;) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read");
    if (n == 0) return out;
    if (out.size() + static_cast<size_t>(n) > limit)
      return fail(ErrorCode::usage, "more than " + std::to_string(limit) + " bytes");
    out.append(buffer, static_cast<size_t>(n));
  }
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  Fd fd = TRY(open_file(path, O_RDONLY));
  return in_context(read_all(fd.get(), limit), path);
}

Status write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::string temporary = path + ".tmp." + std::to_string(::getpid());
  ::unlink(temporary.c_str());
  Fd fd = TRY(open_file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
  Status written = write_all(fd.get(), bytes);
  if (written && ::fsync(fd.get()) != 0) written = fail_errno(errno, "fsync");
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = fail_errno(errno, "rename");
  if (!written) {
    ::unlink(temporary.c_str());
    return in_context(std::move(written), path);
  }
  std::string parent = std::filesystem::path(path).parent_path().string();
  Fd directory = TRY(open_file(parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return fail_errno(errno, parent);
  return {};
}

}  // namespace fabric
