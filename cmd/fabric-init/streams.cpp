// SPDX-License-Identifier: Apache-2.0
// Moving bytes between a task's pipes and the files that we were handed. Pipes never block us;
// regular files may, for as long as a disk takes; any other file is asked first with poll().
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "init.hpp"
#include "limits.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr size_t k_chunk = 64 << 10;
char buffer[k_chunk];

Source pipe_source(int which) { return which == 0 ? Source::output_pipe : Source::error_pipe; }
Source file_source(int which) { return which == 0 ? Source::output_file : Source::error_file; }

void close_fd(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

// A worker lives long: its stderr keeps what is newest. The oldest half leaves the file, in whole
// blocks without copying where the file system can (ext4, xfs), else by copying the newer half
// down.
bool drop_oldest_half(Output& output) {
  uint64_t half = output.limit / 2 / 4096 * 4096;
  if (half == 0 || output.in_file < half) return false;
  constexpr int k_collapse_range = 8;
  if (fallocate(output.file, k_collapse_range, 0, static_cast<off_t>(half)) != 0) {
    char block[4096];
    off_t from = static_cast<off_t>(half), to = 0;
    for (ssize_t got; (got = pread(output.file, block, sizeof block, from)) != 0; from += got) {
      if (got < 0 || pwrite(output.file, block, static_cast<size_t>(got), to) != got) return false;
      to += got;
    }
    if (ftruncate(output.file, to) != 0) return false;
    half = output.in_file - static_cast<uint64_t>(to);
  }
  output.in_file -= half;
  output.dropped += half;
  output.written -= half;
  lseek(output.file, 0, SEEK_END);
  return true;
}

void write_file(Output& output, const char* bytes, size_t size) {
  size_t done = 0;
  while (output.file >= 0 && done < size) {
    if (output.in_file >= output.limit && !(output.rotate && drop_oldest_half(output))) break;
    const uint64_t room = output.limit - output.in_file;
    const size_t part = size - done < room ? size - done : static_cast<size_t>(room);
    ssize_t n = write(output.file, bytes + done, part);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // a full disk or a vanished reader: counted as dropped
    done += static_cast<size_t>(n);
    output.in_file += static_cast<uint64_t>(n);
    output.written += static_cast<uint64_t>(n);
  }
  output.dropped += size - done;
}

bool can_take_more(Init& init, uint32_t slot, int which, Output& output) {
  if (output.regular || output.file < 0) return true;
  pollfd ask{output.file, POLLOUT, 0};
  if (poll(&ask, 1, 0) > 0) return true;
  if (!output.waiting) watch(init, output.file, file_source(which), slot, EPOLLOUT);
  output.waiting = true;
  return false;
}

enum class Progress { moved, nothing, blocked };

// `rate`: of bytes a second; 0: any.
Progress move_some(Init& init, uint32_t number, int which, uint64_t rate) {
  Slot& slot = init.slots[number];
  Output& output = slot.output[which];
  const bool lines = which == 0 && slot.worker != nullptr;
  if (output.pipe < 0) return Progress::nothing;
  if (lines ? !may_read(*slot.worker) : !can_take_more(init, number, which, output)) {
    // Back-pressure: nobody reads the pipe, so it fills up and the task waits.
    epoll_ctl(init.epoll, EPOLL_CTL_DEL, output.pipe, nullptr);
    output.waiting = true;
    return Progress::blocked;
  }
  const size_t allowed = allowance(output, rate, rate != 0 ? monotonic_ns() : 0);
  if (allowed == 0) {
    epoll_ctl(init.epoll, EPOLL_CTL_DEL, output.pipe, nullptr);
    return Progress::nothing;
  }
  const size_t most = output.regular || lines ? k_chunk : 4096;
  ssize_t got = read(output.pipe, buffer, allowed < most ? allowed : most);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::nothing;
  if (got <= 0) {
    close_fd(output.pipe);
    return Progress::nothing;
  }
  take_from_allowance(output, rate, static_cast<size_t>(got));
  if (slot.no_progress != 0) slot.last_output = monotonic_ns();
  if (lines)
    store_output(*slot.worker, buffer, static_cast<size_t>(got));
  else
    write_file(output, buffer, static_cast<size_t>(got));
  return Progress::moved;
}

}  // namespace

void pump_output(Init& init, uint32_t slot, int which) {
  Output& output = init.slots[slot].output[which];
  if (output.waiting && output.pipe >= 0) {
    output.waiting = false;
    if (output.file >= 0 && !output.regular)
      epoll_ctl(init.epoll, EPOLL_CTL_DEL, output.file, nullptr);
    watch(init, output.pipe, pipe_source(which), slot, EPOLLIN);
  }
  move_some(
      init, slot, which,
      init.spec.head->limits.output_rate);  // level-triggered: the rest comes with the next round
}

bool output_waits(const Slot& slot) {
  for (const Output& output : slot.output) {
    int bytes = 0;
    if (output.pipe >= 0 && ioctl(output.pipe, FIONREAD, &bytes) == 0 && bytes > 0) return true;
  }
  return false;
}

bool drain_output(Init& init, uint32_t number) {
  Slot& slot = init.slots[number];
  for (int which = 0; which < 2; ++which) {
    Progress progress = Progress::moved;
    // What a pipe holds, and no more: the writers are dead, but one may have handed its end to
    // another attempt, which can write for ever. Its rate does not matter.
    slot.output[which].resume_at = k_never;
    const int size = slot.output[which].pipe < 0 ? 0 : fcntl(slot.output[which].pipe, F_GETPIPE_SZ);
    for (int left = size / 4096 + 1; left > 0 && progress == Progress::moved; --left)
      progress = move_some(init, number, which, 0);
    if (progress == Progress::blocked) return false;
  }
  if (slot.worker != nullptr) finish_output(*slot.worker);
  return true;
}

namespace {

void close_input(Input& input) {
  close_fd(input.pipe);
  close_fd(input.file);
}

void wait_for(Init& init, uint32_t slot, Input& input, bool reader) {
  // One of the two is watched, once, until it is ready.
  epoll_ctl(init.epoll, EPOLL_CTL_DEL, input.pipe, nullptr);
  if (input.file >= 0 && !input.regular) epoll_ctl(init.epoll, EPOLL_CTL_DEL, input.file, nullptr);
  if (reader)
    watch(init, input.file, Source::input_file, slot, EPOLLIN);
  else
    watch(init, input.pipe, Source::input_pipe, slot, EPOLLOUT);
}

void pump_worker_input(Init& init, uint32_t number, Slot& slot) {
  Worker& worker = *slot.worker;
  while (worker.input_head < worker.input_end) {
    ssize_t n = write(slot.input.pipe, worker.input + worker.input_head,
                      worker.input_end - worker.input_head);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return wait_for(init, number, slot.input, false);
    if (n < 0) return close_input(slot.input);
    worker.input_head += static_cast<size_t>(n);
  }
  epoll_ctl(init.epoll, EPOLL_CTL_DEL, slot.input.pipe, nullptr);
}

}  // namespace

void pump_input(Init& init, uint32_t number) {
  Slot& slot = init.slots[number];
  Input& input = slot.input;
  if (input.pipe < 0) return;
  if (slot.worker != nullptr) return pump_worker_input(init, number, slot);
  while (input.file >= 0) {
    if (!input.regular) {
      ssize_t moved = splice(input.file, nullptr, input.pipe, nullptr, k_chunk, SPLICE_F_NONBLOCK);
      if (moved > 0) continue;
      if (moved < 0 && errno == EINTR) continue;
      if (moved < 0 && errno == EAGAIN) {
        pollfd ask{input.pipe, POLLOUT, 0};
        return wait_for(init, number, input, poll(&ask, 1, 0) > 0);
      }
      break;
    }
    // Read where we are, write what fits: what did not is simply read again.
    ssize_t got = pread(input.file, buffer, k_chunk, input.offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    ssize_t n = write(input.pipe, buffer, static_cast<size_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return wait_for(init, number, input, false);
    if (n < 0) break;
    input.offset += n;
  }
  close_input(input);
}

void close_streams(Slot& slot) {
  close_input(slot.input);
  for (Output& output : slot.output) {
    close_fd(output.pipe);
    close_fd(output.file);
  }
}

}  // namespace fabric::init
