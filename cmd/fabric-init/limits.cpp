// SPDX-License-Identifier: Apache-2.0
#include "limits.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "sys.hpp"

namespace fabric::init {

namespace {

bool set_limit(int resource, uint64_t soft, uint64_t hard) {
  rlimit limit;
  if (getrlimit(resource, &limit) < 0) return false;
  if (limit.rlim_max != RLIM_INFINITY && hard > limit.rlim_max) hard = limit.rlim_max;
  limit.rlim_max = hard;
  limit.rlim_cur = soft < hard ? soft : hard;
  return setrlimit(resource, &limit) == 0;
}

bool set_limit(int resource, uint64_t both) { return set_limit(resource, both, both); }

// What nobody chooses: each protects the host, whose memory and time they are, and is as much as
// programs expect (they are the kernel's own defaults).
bool set_fixed_limits() {
  constexpr uint64_t k_queues = 819200;             // bytes of POSIX message queues
  constexpr uint64_t k_locked = uint64_t{8} << 20;  // bytes that cannot be swapped
  return set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_MSGQUEUE, k_queues) &&
         set_limit(RLIMIT_MEMLOCK, k_locked) && set_limit(RLIMIT_RTPRIO, 0) &&
         set_limit(RLIMIT_NICE, 0);
}

// Below this a timer and a wake-up cost more than the bytes they let through.
constexpr int64_t k_shortest_pause = 10000000;

uint64_t field_of(int fd, const char* name) { return fd < 0 ? 0 : control_field(fd, name); }

}  // namespace

// Never RLIMIT_NPROC: it counts a user's processes on the whole machine, and pids.max does not.
bool set_task_limits(const wire::TaskLimits& limits) {
  if (!set_fixed_limits()) return false;
  if (limits.max_open_files != 0 &&
      !set_limit(RLIMIT_NOFILE, limits.open_files, limits.max_open_files))
    return false;
  if (limits.file_size != 0 && !set_limit(RLIMIT_FSIZE, limits.file_size)) return false;
  return limits.pending_signals == 0 || set_limit(RLIMIT_SIGPENDING, limits.pending_signals);
}

// A second's worth may come at once; then no more than comes in. What is not read stays in the
// pipe, so the task waits, and nothing is lost.
size_t allowance(Output& output, uint64_t rate, int64_t now) {
  if (rate == 0) return SIZE_MAX;
  if (output.filled_at == 0) {
    output.filled_at = now;
    output.allowed = rate;
  }
  const auto passed = static_cast<uint64_t>(now - output.filled_at);
  if (passed >= uint64_t{k_second}) {
    output.allowed = rate;
    output.filled_at = now;
  } else {
    // Below a second, so that it cannot overflow.
    constexpr uint64_t k_whole = k_second;
    const uint64_t more = rate / k_whole * passed + rate % k_whole * passed / k_whole;
    if (more > 0) {
      output.allowed = output.allowed + more < rate ? output.allowed + more : rate;
      output.filled_at = now;
    }
  }
  if (output.allowed > 0) return output.allowed;
  const int64_t byte = rate >= uint64_t{k_second} ? 1 : k_second / static_cast<int64_t>(rate);
  output.resume_at = now + (byte > k_shortest_pause ? byte : k_shortest_pause);
  return 0;
}

void take_from_allowance(Output& output, uint64_t rate, size_t bytes) {
  if (rate != 0) output.allowed -= bytes < output.allowed ? bytes : output.allowed;
}

void resume_outputs(Init& init, uint32_t number, int64_t now) {
  Slot& slot = init.slots[number];
  for (int which = 0; which < 2; ++which) {
    Output& output = slot.output[which];
    if (output.resume_at > now) continue;
    output.resume_at = k_never;
    if (output.pipe < 0) continue;
    watch(init, output.pipe, which == 0 ? Source::output_pipe : Source::error_pipe, number,
          EPOLLIN);
  }
}

Counters count(const Spec& spec) {
  Counters counters;
  const uint64_t us = field_of(spec.cpu_stat, "throttled_usec");
  counters.throttled_ns = us != 0 ? us * 1000 : field_of(spec.cpu_stat, "throttled_time");  // v1
  counters.pids_refused = field_of(spec.pids_events, "max");
  return counters;
}

void publish_slot(Init& init, uint32_t number) {
  const Slot& slot = init.slots[number];
  wire::SlotRecord record{};
  record.io_read = slot.io_read;
  record.io_written = slot.io_written;
  if (slot.busy) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    record.attempt = slot.attempt;
    record.started_at_us = int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
    record.cpu_before_us = slot.leaf.cpu_before_us;
    record.throttled_before_ns = slot.throttled_before_ns;
    record.refused_before = slot.refused_before;
  }
  // A display lacks it then, nothing else.
  if (pwrite(init.spec.journal, &record, sizeof record,
             static_cast<off_t>(wire::k_slot_records_at + number * sizeof record)) < 0)
    return;
}

}  // namespace fabric::init
