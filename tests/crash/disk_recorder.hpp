// SPDX-License-Identifier: Apache-2.0
// What a program asks of the disk for one file, in order. The calls that can change a file are
// defined in disk_recorder.cpp, so that liblmdb's, which is linked in, resolve to them; they do
// what they always do, and note it.
//
// One recorder at a time, and one thread writes while it lives.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fabric::crash {

struct DiskOperation {
  enum class Kind : uint8_t { write, sync, lengthen };
  Kind kind = Kind::write;
  bool synchronous = false;  // the descriptor is O_DSYNC: on disk when the call has returned
  uint64_t offset = 0;       // lengthen: how long the file is now
  std::string bytes;
};

class DiskRecorder {
 public:
  explicit DiskRecorder(std::string path);  // of a file that need not be there yet
  ~DiskRecorder();
  DiskRecorder(const DiskRecorder&) = delete;
  DiskRecorder& operator=(const DiskRecorder&) = delete;

  [[nodiscard]] const std::vector<DiskOperation>& operations() const { return operations_; }
  [[nodiscard]] size_t position() const { return operations_.size(); }
  // What was done to the file that a recording cannot show: "" when nothing was.
  [[nodiscard]] const std::string& escaped() const { return escaped_; }

  // For the calls.
  void wrote(int fd, const void* bytes, size_t size, off_t offset);
  void synced(int fd);
  void lengthened(int fd, off_t length);
  void escape(int fd, const char* call);

 private:
  bool is_the_file(int fd);

  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  bool found_ = false;
  std::vector<DiskOperation> operations_;
  std::string escaped_;
};

}  // namespace fabric::crash
