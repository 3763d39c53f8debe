// SPDX-License-Identifier: Apache-2.0
#include "egress/channel.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fabric::egress {
namespace {

constexpr int k_pipe_size = 1 << 20;
constexpr size_t k_first_piece = 1 << 16;
constexpr size_t k_free_pipes = 64;

}  // namespace

Pipe PipePool::take() {
  if (!free_.empty()) {
    Pipe pipe = std::move(free_.back());
    free_.pop_back();
    return pipe;
  }
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return {};
  // Not granted beyond /proc/sys/fs/pipe-user-pages-soft: a small pipe is only slower.
  const bool small = ::fcntl(fds[1], F_SETPIPE_SZ, k_pipe_size) < k_pipe_size;
  return {Fd(fds[0]), Fd(fds[1]), small};
}

void PipePool::give(Pipe pipe) {
  if (!pipe.small && free_.size() < k_free_pipes) free_.push_back(std::move(pipe));
}

Channel::Channel() : piece_(k_first_piece) {}

Channel::Outcome Channel::fail(int error) {
  error_ = error;
  return Outcome::failed;
}

Channel::Outcome Channel::finish(int to) {
  // ENOTCONN: the other side went away meanwhile, which the other direction finds out.
  if (!finished_) ::shutdown(to, SHUT_WR);
  finished_ = true;
  return Outcome::finished;
}

Channel::Outcome Channel::flush(int to, uint64_t& moved) {
  while (!ahead_.empty()) {
    const ssize_t n = ::send(to, ahead_.data(), ahead_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? Outcome::waiting : fail(errno);
    moved += static_cast<uint64_t>(n);
    ahead_.erase(0, static_cast<size_t>(n));
  }
  while (in_pipe_ > 0) {
    const ssize_t n = ::splice(pipe_.read.get(), nullptr, to, nullptr, in_pipe_,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? Outcome::waiting : fail(errno);
    moved += static_cast<uint64_t>(n);
    in_pipe_ -= static_cast<size_t>(n);
  }
  return ended_ ? finish(to) : Outcome::again;
}

Channel::Outcome Channel::pump(PipePool& pool, int from, int to, size_t& budget, uint64_t& moved) {
  for (;;) {
    const Outcome sent = flush(to, moved);
    if (sent == Outcome::waiting) piece_ = k_first_piece;
    if (sent != Outcome::again) return sent;
    if (budget == 0) return Outcome::again;
    if (!pipe_.write) pipe_ = pool.take();
    if (!pipe_.write) return fail(EMFILE);
    const ssize_t n = ::splice(from, nullptr, pipe_.write.get(), nullptr, std::min(budget, piece_),
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n > 0) {
      in_pipe_ = static_cast<size_t>(n);
      budget -= in_pipe_;
      piece_ = std::min(piece_ * 2, size_t{k_pipe_size});
      continue;
    }
    const int error = errno;
    if (n < 0 && error == EINTR) continue;
    pool.give(std::move(pipe_));  // it is empty: all of it was flushed before reading
    pipe_ = {};
    if (n < 0) return error == EAGAIN ? Outcome::waiting : fail(error);
    ended_ = true;
  }
}

}  // namespace fabric::egress
