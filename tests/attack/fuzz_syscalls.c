/* SPDX-License-Identifier: Apache-2.0
 * fuzz_syscalls SECONDS SEED: makes random system calls with random arguments, a process after the
 * other, as a task in a sandbox. What comes of it is looked at outside (tests/attack/fuzz): there
 * nothing may have changed. Also a way to learn whether the init survives hostile tasks. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;

static uint64_t next(void) { /* xorshift64* */
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 2685821657736338717u;
}
static uint64_t below(uint64_t n) { return next() % n; }

static unsigned char* memory;
enum { k_memory = 1 << 20, k_last_call = 475 };

static const char* const paths[] = {"/",
                                    "/work",
                                    "/work/f",
                                    "/tmp/f",
                                    "/proc/1/mem",
                                    "/proc/self",
                                    "/proc/1/root",
                                    "/dev/null",
                                    "/dev/ptmx",
                                    "/usr/bin/true",
                                    "/etc/passwd",
                                    "/sys/fs/cgroup",
                                    "/proc/sys/kernel/core_pattern",
                                    "../../..",
                                    "/proc/self/ns/user",
                                    "/dev/shm/f",
                                    "/proc/1/fd/3",
                                    "/proc/self/mem",
                                    "/proc/sysrq-trigger",
                                    "."};

/* What kernels like to read: small numbers, descriptors, flags, pointers to text and to noise. */
static long argument(void) {
  switch (below(10)) {
    case 0:
      return (long)below(8);
    case 1:
      return (long)below(64);
    case 2:
      return -100; /* AT_FDCWD */
    case 3:
      return (long)(1ul << below(64));
    case 4:
      return -(long)below(4);
    case 5:
      return (long)(uintptr_t)paths[below(sizeof paths / sizeof *paths)];
    case 6:
    case 7: {
      unsigned char* at = memory + (below(k_memory / 64) & ~7ul) * 32;
      for (int i = 0; i < 64; ++i) at[i] = (unsigned char)(below(3) ? 0 : next());
      return (long)(uintptr_t)at;
    }
    case 8:
      return (long)(0x5400 + below(0x100)); /* requests of ioctl */
    default:
      return (long)next();
  }
}

/* Calls that only end or stop the process that makes them, so that it would make no others. */
static int senseless(long call) {
  switch (call) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_pause:
    case SYS_rt_sigreturn:
    case SYS_rt_sigsuspend:
    case SYS_select:
    case SYS_pselect6:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_rt_sigtimedwait:
    case SYS_waitid:
    case SYS_wait4:
    case SYS_munmap:
    case SYS_vfork: /* would share our stack */
      return 1;
    default:
      return 0;
  }
}

static unsigned long* made; /* shared: how many calls, and which numbers */

/* The starter must not be stopped by one of ours: no signals out of here, where Landlock can say
 * so. A ruleset has to handle some right: renames across directories, 1 << 13, which it then
 * refuses. */
static void keep_signals(void) {
  const uint64_t attributes[3] = {1 << 13, 0, 2}; /* LANDLOCK_SCOPE_SIGNAL */
  long ruleset = syscall(444, attributes, sizeof attributes, 0);
  if (ruleset >= 0) syscall(446, ruleset, 0);
}

static void attack(void) {
  keep_signals();
  /* One that blocks is given up. */
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 200000}}, NULL);
  for (int i = 0; i < 4000; ++i) {
    long call = (long)below(below(20) ? k_last_call : 1024);
    if (below(200) == 0) call |= 0x40000000;
    if (senseless(call)) continue;
    long a = argument(), b = argument(), c = argument(), d = argument(), e = argument(),
         f = argument();
    /* Signals to the starter would end the run and prove nothing. */
    if ((call == SYS_kill || call == SYS_tkill || call == SYS_tgkill) && (int)a != 1 && below(50))
      continue;
    ++made[0];
    if (call < 1024) ++made[1 + call];
    long got = syscall(call, a, b, c, d, e, f);
    if ((call == SYS_fork || call == SYS_clone) && got == 0) alarm(1);
    if (below(64) == 0) syscall(SYS_close_range, 3, 200, 0);
  }
}

static void wake_up(int signal) { (void)signal; }

/* Until it has ended; half a second at most, as it may have stopped itself or blocked its alarm. */
static void wait_for(pid_t pid) {
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 100000}, {0, 500000}}, NULL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) kill(pid, SIGKILL);
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

int main(int argc, char** argv) {
  const time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 5);
  uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
  if (seed == 0) seed = 1;
  memory = mmap(NULL, k_memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  made = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || made == MAP_FAILED) return 2;
  unsigned long rounds = 0;
  for (int i = 1; i < 65; ++i)
    if (i != SIGCHLD && i != SIGALRM) signal(i, SIG_IGN);
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = wake_up}, NULL);
  while (time(NULL) < end) {
    state = (seed + rounds++) * 0x9e3779b97f4a7c15u | 1;
    pid_t pid = fork();
    if (pid == 0) {
      for (int i = 1; i < 65; ++i) signal(i, SIG_DFL);
      setpgid(0, 0);
      int null = open("/dev/null", O_RDWR);
      for (int i = 0; i < 3; ++i) dup2(null, i);
      attack();
      _exit(0);
    }
    if (pid < 0) { /* leftovers of the rounds before */
      kill(-1, SIGKILL);
      continue;
    }
    wait_for(pid);
    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
  unsigned kinds = 0;
  for (int i = 0; i < 1024; ++i) kinds += made[1 + i] != 0;
  printf("%lu calls of %u kinds in %lu processes, seed %llu\n", made[0], kinds, rounds,
         (unsigned long long)seed);
  return 0;
}
