// SPDX-License-Identifier: Apache-2.0
// Ownership of file descriptors, and whole reads and writes on them. One thread at a time per Fd.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace fabric {

// Owns a descriptor and closes it once. Every descriptor made in this project is O_CLOEXEC.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);
  [[nodiscard]] Result<Fd> duplicate() const;

 private:
  int fd_ = -1;
};

// open(2)/openat(2) with O_CLOEXEC added. The error names the path.
Result<Fd> open_file(const std::string& path, int flags, unsigned mode = 0);
Result<Fd> open_at(const Fd& directory, const std::string& name, int flags, unsigned mode = 0);

// All bytes, or an error; EINTR and short transfers are handled.
Status write_all(int fd, std::string_view bytes);
// To end of file; more than `limit` bytes is an error.
Result<std::string> read_all(int fd, size_t limit = size_t{64} << 20);
Result<std::string> read_file(const std::string& path, size_t limit = size_t{64} << 20);
// write temp, fsync, rename, fsync directory: the file is the old or the new one, never between.
Status write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode);

}  // namespace fabric
