// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#include "init.hpp"
#include "limits.hpp"
#include "sys.hpp"

namespace fabric::init {

int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * k_second + now.tv_nsec;
}

void watch(Init& init, int fd, Source source, uint32_t slot, uint32_t events) {
  epoll_event event{events, {}};
  event.data.u64 = (uint64_t{static_cast<uint32_t>(source)} << 32) | slot;
  epoll_ctl(init.epoll, EPOLL_CTL_ADD, fd, &event);
}

void shut_down(Init& init, int64_t grace) {
  init.shutting_down = true;
  init.orphan_at = k_never;
  for (uint32_t i = 0; i < init.slot_count(); ++i) {
    Slot& slot = init.slots[i];
    if (!slot.busy) continue;
    slot.stopped = true;
    stop_attempt(slot, grace >= 0 ? grace : slot.grace);
  }
}

void reap_dead(Init& init) {
  for (;;) {
    siginfo_t info{};
    rusage usage{};
    if (syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG, &usage) < 0 || info.si_pid == 0)
      break;
    for (uint32_t i = 0; i < init.slot_count(); ++i) {
      Slot& slot = init.slots[i];
      if (!slot.busy || slot.pid != info.si_pid) continue;
      main_ended(init, slot, info, usage);
      break;
    }
  }
}

namespace {

// Ctrl-Z stops the command but not the shell that waits for fabric: nobody would ever resume it,
// and the terminal would belong to a process that does not run. So it goes on.
void resume_stopped(const Slot& slot) {
  siginfo_t info{};
  while (waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid != 0) {
    if (info.si_pid == slot.pid && info.si_status == SIGTSTP) kill(-slot.pid, SIGCONT);
    info.si_pid = 0;
  }
}

void reap(Init& init) {
  reap_dead(init);
  if (init.spec.has(wire::k_terminal)) resume_stopped(init.slots[0]);
  for (uint32_t i = 0; i < init.slot_count(); ++i) settle(init, init.slots[i]);
}

void fire_timers(Init& init) {
  const int64_t now = monotonic_ns();
  if (init.orphan_at <= now) shut_down(init, -1);
  for (uint32_t i = 0; i < init.slot_count(); ++i) {
    Slot& slot = init.slots[i];
    if (!slot.busy) continue;
    check_limits(slot, now);
    resume_outputs(init, i, now);
    if (slot.settle_at <= now) settle(init, slot);
    if (slot.kill_at <= now) {
      slot.kill_at = k_never;
      kill_attempt(slot);
    }
  }
}

void arm_timer(Init& init) {
  int64_t next = init.orphan_at;
  if (const int64_t denial = next_denial(init); denial < next) next = denial;
  for (uint32_t i = 0; i < init.slot_count(); ++i) {
    const Slot& slot = init.slots[i];
    if (!slot.busy) continue;
    if (slot.deadline < next) next = slot.deadline;
    if (slot.silent_at < next) next = slot.silent_at;
    if (slot.kill_at < next) next = slot.kill_at;
    if (slot.settle_at < next) next = slot.settle_at;
    for (const Output& output : slot.output)
      if (output.resume_at < next) next = output.resume_at;
  }
  if (next == init.armed) return;
  init.armed = next;
  itimerspec when{};
  if (next != k_never) {
    when.it_value.tv_sec = static_cast<time_t>(next / k_second);
    when.it_value.tv_nsec = static_cast<long>(next % k_second);
    if (next <= 0) when.it_value.tv_nsec = 1;  // all zero would disarm
  }
  timerfd_settime(init.timer, TFD_TIMER_ABSTIME, &when, nullptr);
}

void dispatch(Init& init, const epoll_event& event) {
  const auto slot = static_cast<uint32_t>(event.data.u64 & 0xffffffff);
  uint64_t scratch[16];
  switch (static_cast<Source>(event.data.u64 >> 32)) {
    case Source::signals:
      while (read(init.signals, scratch, sizeof scratch) == sizeof scratch) {
      }
      return reap(init);
    case Source::timer:
      if (read(init.timer, scratch, 8) == 8) init.armed = k_never;
      return;
    case Source::listener:
      return accept_connection(init);
    case Source::connection:
      return read_connection(init);
    case Source::input_pipe:
    case Source::input_file:
      return pump_input(init, slot);
    case Source::output_pipe:
    case Source::output_file:
      pump_output(init, slot, 0);
      break;
    case Source::error_pipe:
    case Source::error_file:
      pump_output(init, slot, 1);
      break;
    case Source::denial:
      return answer_denials(init, slot, (event.events & EPOLLIN) == 0);
    case Source::leaf:
      break;
    case Source::link:
      return serve_link(init);
  }
  settle(init, init.slots[slot]);
}

bool idle(const Init& init) {
  for (uint32_t i = 0; i < init.slot_count(); ++i)
    if (init.slots[i].busy) return false;
  return true;
}

}  // namespace

void run(Init& init) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, nullptr);
  prepare_filter(init.spec, task_arguments());
  init.epoll = epoll_create1(EPOLL_CLOEXEC);
  init.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  init.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (init.epoll < 0 || init.signals < 0 || init.timer < 0) refuse("preparing to run", "", errno);
  watch(init, init.signals, Source::signals, 0, EPOLLIN);
  watch(init, init.timer, Source::timer, 0, EPOLLIN);
  if (init.spec.listener >= 0) watch(init, init.spec.listener, Source::listener, 0, EPOLLIN);
  adopt_connection(init, k_setup_fd);
  if (init.spec.link >= 0) adopt_link(init, init.spec.link);
  for (;;) {
    send_pending(init);
    if (init.shutting_down && idle(init)) _exit(0);
    arm_timer(init);
    epoll_event events[32];
    int count = epoll_wait(init.epoll, events, 32, -1);
    for (int i = 0; i < count; ++i) dispatch(init, events[i]);
    fire_timers(init);
  }
}

}  // namespace fabric::init
