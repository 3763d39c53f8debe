// SPDX-License-Identifier: Apache-2.0
// Where the bytes of an archive come from: a part of a file, or what gzip made of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Some bytes, at least one; 0 at the end.
  virtual Result<size_t> read(char* to, size_t size) = 0;
};

// Does not own the descriptor.
class FileSource : public ByteSource {
 public:
  FileSource(int fd, uint64_t offset, uint64_t size) : fd_(fd), at_(offset), left_(size) {}
  Result<size_t> read(char* to, size_t size) override;

 private:
  int fd_;
  uint64_t at_, left_;
};

class StringSource : public ByteSource {
 public:
  explicit StringSource(std::string_view bytes) : left_(bytes) {}
  Result<size_t> read(char* to, size_t size) override;

 private:
  std::string_view left_;
};

// gzip(1), of several members too. What comes out is counted: more than `most` is refused.
Result<std::unique_ptr<ByteSource>> make_gzip_source(ByteSource& from, uint64_t most);

// Passes bytes on, and knows the SHA-256 of those that went by.
class HashSource : public ByteSource {
 public:
  explicit HashSource(ByteSource& from);
  ~HashSource() override;
  HashSource(const HashSource&) = delete;
  HashSource& operator=(const HashSource&) = delete;
  Result<size_t> read(char* to, size_t size) override;
  // Of all: what nobody has read yet is read first. In hexadecimal.
  Result<std::string> finish();

 private:
  struct State;
  ByteSource& from_;
  std::unique_ptr<State> state_;
};

std::string sha256_of(std::string_view bytes);

// All of `size` bytes, or an error.
Status read_exactly(ByteSource& from, char* to, size_t size);

}  // namespace fabric
