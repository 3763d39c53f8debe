// SPDX-License-Identifier: Apache-2.0
#include "image/byte_source.hpp"

#include <openssl/evp.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace fabric {

namespace {

constexpr size_t k_block = size_t{64} << 10;

std::string hexadecimal(const unsigned char* bytes, size_t size) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text += k_digits[bytes[i] >> 4U];
    text += k_digits[bytes[i] & 15U];
  }
  return text;
}

class GzipSource : public ByteSource {
 public:
  GzipSource(ByteSource& from, uint64_t most) : from_(from), left_(most), input_(k_block) {}
  ~GzipSource() override { ::inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  // 15 + 16: the largest window, and gzip's framing.
  bool start() { return ::inflateInit2(&stream_, 31) == Z_OK; }

  Result<size_t> read(char* to, size_t size) override {
    if (size == 0 || done_) return size_t{0};
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(size, size_t{1} << 30));
    const uInt room = stream_.avail_out;
    while (stream_.avail_out == room && !done_) TRY_STATUS(step());
    const size_t got = room - stream_.avail_out;
    if (got > left_) return fail(ErrorCode::usage, "it would unpack to more than is allowed");
    left_ -= got;
    return got;
  }

 private:
  Status fill() {
    if (stream_.avail_in != 0 || ended_) return {};
    const size_t got = TRY(from_.read(input_.data(), input_.size()));
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(got);
    ended_ = got == 0;
    return {};
  }
  Status step() {
    TRY_STATUS(fill());
    if (between_ && stream_.avail_in == 0) {
      done_ = true;
      return {};
    }
    if (between_) {
      // Some writers fill their last block with zeros.
      if (*stream_.next_in == 0) {
        ++stream_.next_in;
        --stream_.avail_in;
        return {};
      }
      ::inflateReset(&stream_);
      between_ = false;
    }
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_STREAM_END)
      between_ = true;
    else if (result != Z_OK && !(result == Z_BUF_ERROR && stream_.avail_in == 0 && !ended_))
      return fail(ErrorCode::usage, "its gzip data is damaged or cut off");
    return {};
  }

  ByteSource& from_;
  uint64_t left_;
  std::vector<char> input_;
  z_stream stream_{};
  bool between_ = false;  // members: one has ended
  bool ended_ = false, done_ = false;
};

}  // namespace

Result<size_t> FileSource::read(char* to, size_t size) {
  const size_t wanted = static_cast<size_t>(std::min<uint64_t>(size, left_));
  if (wanted == 0) return size_t{0};
  ssize_t got = 0;
  do {
    got = ::pread(fd_, to, wanted, static_cast<off_t>(at_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno(errno, "reading the image");
  if (got == 0) return fail(ErrorCode::usage, "it is cut off");
  at_ += static_cast<uint64_t>(got);
  left_ -= static_cast<uint64_t>(got);
  return static_cast<size_t>(got);
}

Result<size_t> StringSource::read(char* to, size_t size) {
  const size_t got = std::min(size, left_.size());
  std::memcpy(to, left_.data(), got);
  left_.remove_prefix(got);
  return got;
}

Result<std::unique_ptr<ByteSource>> make_gzip_source(ByteSource& from, uint64_t most) {
  auto source = std::make_unique<GzipSource>(from, most);
  if (!source->start()) return fail(ErrorCode::failed, "zlib cannot start");
  return std::unique_ptr<ByteSource>(std::move(source));
}

struct HashSource::State {
  EVP_MD_CTX* context = ::EVP_MD_CTX_new();
  State() { ::EVP_DigestInit_ex(context, ::EVP_sha256(), nullptr); }
  ~State() { ::EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

HashSource::HashSource(ByteSource& from) : from_(from), state_(std::make_unique<State>()) {}
HashSource::~HashSource() = default;

Result<size_t> HashSource::read(char* to, size_t size) {
  const size_t got = TRY(from_.read(to, size));
  ::EVP_DigestUpdate(state_->context, to, got);
  return got;
}

Result<std::string> HashSource::finish() {
  std::vector<char> rest(k_block);
  while (TRY(read(rest.data(), rest.size())) != 0) {
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  ::EVP_DigestFinal_ex(state_->context, digest.data(), &size);
  return hexadecimal(digest.data(), size);
}

std::string sha256_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  ::EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, ::EVP_sha256(), nullptr);
  return hexadecimal(digest.data(), size);
}

Status read_exactly(ByteSource& from, char* to, size_t size) {
  for (size_t done = 0; done < size;) {
    const size_t got = TRY(from.read(to + done, size - done));
    if (got == 0) return fail(ErrorCode::usage, "it is cut off");
    done += got;
  }
  return {};
}

}  // namespace fabric
