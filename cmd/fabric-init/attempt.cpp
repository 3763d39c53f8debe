// SPDX-License-Identifier: Apache-2.0
// The life of a running attempt: signals, its deadline, its end.
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "init.hpp"
#include "sys.hpp"

namespace fabric::init {

void signal_attempt(Slot& slot, int signal_number) {
  // The main process leads its session and its process group. Its pid cannot have been reused: only
  // we reap, and we forget it then.
  if (slot.pid > 0 && signal_number > 0 && signal_number < 65) kill(-slot.pid, signal_number);
}

void kill_attempt(Slot& slot) {
  if (slot.pid > 0) kill(-slot.pid, SIGKILL);
  kill_leaf(slot.leaf);
}

void stop_attempt(Slot& slot, int64_t grace) {
  signal_attempt(slot, slot.stop_signal);
  signal_attempt(slot, SIGCONT);  // a stopped process cannot end
  int64_t at = monotonic_ns() + (grace > 0 ? grace : 0);
  if (at < slot.kill_at) slot.kill_at = at;
  if (grace <= 0) kill_attempt(slot);
}

void main_ended(Init& init, Slot& slot, const siginfo_t& info, const rusage& usage) {
  slot.pid = 0;
  slot.status_code = info.si_code;
  slot.status = info.si_status;
  const auto us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * int64_t{1000000} +
                  usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  slot.cpu_ns = static_cast<uint64_t>(us) * 1000;
  slot.largest = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  // Nothing survives its task.
  if (populated(slot.leaf)) kill_leaf(slot.leaf);
  settle(init, slot);
}

namespace {

int32_t reason_of(const Slot& slot, bool memory) {
  const bool clean = slot.status_code == CLD_EXITED && slot.status == 0;
  if (memory && !clean) return wire::k_memory;
  if (slot.limit_passed != wire::k_exited) return slot.limit_passed;
  if (slot.stopped) return wire::k_stopped;
  return wire::k_exited;
}

void pass_limit(Slot& slot, int32_t which) {
  if (slot.pid != 0 && !slot.stopped && slot.limit_passed == wire::k_exited)
    slot.limit_passed = which;
  stop_attempt(slot, slot.grace);
}

// The timer is not moved with each output, only looked at when it fires: a talkative attempt costs
// a clock reading a chunk, and a wake-up each time the limit has gone by.
void check_progress(Slot& slot, int64_t now) {
  slot.silent_at = k_never;
  const bool ending = slot.pid == 0 || slot.stopped || slot.limit_passed != wire::k_exited;
  if (ending) return;
  // We are late, or the receiver takes nothing: neither is the attempt's fault.
  if (output_waits(slot)) slot.last_output = now;
  if (now - slot.last_output >= slot.no_progress) return pass_limit(slot, wire::k_no_progress);
  slot.silent_at = slot.last_output + slot.no_progress;
}

// Others of the attempt are still dying, or (since Linux 6.18 a task leaves its group only after it
// was switched away from for the last time, which may be after it was reaped) the main process is.
// The group tells when it is empty, but at most every 10 ms; so we also look again ourselves, soon
// and then ever later.
void await_empty(Init& init, Slot& slot, uint32_t number) {
  if (slot.looks == 0 && slot.leaf.events >= 0)
    watch(init, slot.leaf.events, Source::leaf, number, EPOLLPRI);
  // What was forked while a list was being killed is met here.
  if (slot.looks > 0) kill_leaf(slot.leaf);
  const int64_t pause = int64_t{100000} << (slot.looks < 10 ? slot.looks : 10);
  ++slot.looks;
  slot.settle_at = monotonic_ns() + pause;
}

// A process that dies can have left its group and not be there to be reaped yet (seen on 6.18 when
// the listener of its filter, which hangs up, woke us in between). Children that are left then are
// this attempt's, where no other runs.
bool alone(const Init& init, const Slot& slot) {
  for (uint32_t i = 0; i < init.slot_count(); ++i)
    if (&init.slots[i] != &slot && init.slots[i].busy) return false;
  return true;
}

bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

void watch_progress(Slot& slot, int64_t limit) {
  const int64_t now = monotonic_ns();
  const bool limited = limit > 0 && limit < k_never - now;
  slot.no_progress = limited ? limit : 0;
  slot.last_output = now;
  slot.silent_at = limited ? now + limit : k_never;
}

void check_limits(Slot& slot, int64_t now) {
  if (slot.deadline <= now) {
    slot.deadline = k_never;
    pass_limit(slot, wire::k_timed_out);
  }
  if (slot.silent_at <= now) check_progress(slot, now);
}

void settle(Init& init, Slot& slot) {
  if (!slot.busy || slot.pid != 0) return;
  uint32_t number = static_cast<uint32_t>(&slot - init.slots);
  if (populated(slot.leaf)) return await_empty(init, slot, number);
  // Who hears of the end must not meet one of them any more: the dead are reaped first. Not this
  // slot's main process, so we do not come back here.
  reap_dead(init);
  if (alone(init, slot) && has_children()) return await_empty(init, slot, number);
  if (slot.looks > 0) epoll_ctl(init.epoll, EPOLL_CTL_DEL, slot.leaf.events, nullptr);
  slot.looks = 0;
  slot.settle_at = k_never;
  // Back-pressure holds for the last bytes too, except for who was killed.
  const bool was_killed = slot.stopped || slot.limit_passed != wire::k_exited;
  if (!drain_output(init, number) && !was_killed) return;

  wire::ExitRecord record{};
  record.attempt = slot.attempt;
  record.reason = reason_of(slot, oom_killed(slot.leaf));
  if (slot.status_code == CLD_EXITED)
    record.exit_code = slot.status;
  else
    record.signal = slot.status;
  uint64_t measured = cpu_used_ns(slot.leaf);
  record.cpu_ns = measured != 0 ? measured : slot.cpu_ns;
  record.memory_peak = memory_peak(slot.leaf, slot.largest);
  record.stdout_bytes = slot.output[0].written;
  record.stdout_dropped = slot.output[0].dropped;
  record.stderr_bytes = slot.output[1].written;
  record.stderr_dropped = slot.output[1].dropped;
  snprintf(record.message, sizeof record.message, "%s", slot.note);
  close_streams(slot);
  if (slot.pidfd >= 0) close(slot.pidfd);
  slot.pidfd = -1;
  if (slot.worker != nullptr) slot.worker->ended = true;
  slot.worker = nullptr;
  slot.busy = slot.announce = false;
  slot.deadline = slot.silent_at = slot.kill_at = k_never;
  record_exit(init, record);
}

}  // namespace fabric::init
