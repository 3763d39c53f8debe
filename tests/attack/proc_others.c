/* SPDX-License-Identifier: Apache-2.0
 * Other processes: the victim outside, process 1 of the sandbox, whoever is in /proc. */
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "attack.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

enum { VICTIM, INIT };
static int pid_of(long who) { return who == INIT ? 1 : (int)number("victim"); }

/* The victim writes signals down. */
static enum state send_signal(long how) {
  const int pid = pid_of(VICTIM);
  siginfo_t info = {.si_code = SI_QUEUE};
  switch (how) {
    case SIGUSR1:
      kill(pid, SIGUSR1);
      break;
    case SIGUSR2:
      syscall(SYS_tgkill, pid, pid, SIGUSR2);
      break;
    case SIGHUP:
      syscall(SYS_tkill, pid, SIGHUP);
      break;
    case SIGWINCH:
      kill(-1, SIGWINCH);
      break; /* to everybody: ignored by all but the victim */
    case SIGALRM:
      syscall(SYS_rt_sigqueueinfo, pid, SIGALRM, &info);
      break;
    case SIGPROF: {
      int fd = (int)syscall(SYS_pidfd_open, pid, 0);
      if (fd < 0) return blocked("pidfd_open");
      syscall(SYS_pidfd_send_signal, fd, SIGPROF, NULL, 0);
      break;
    }
    case SIGIO: { /* the owner of a descriptor gets the signal, whoever that is */
      int ends[2];
      if (pipe(ends) < 0) return blocked("pipe");
      fcntl(ends[0], F_SETOWN, pid);
      fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
      if (write(ends[1], "x", 1) < 0) return blocked("write");
      break;
    }
    default:
      kill(-pid, (int)how);
      break;
  }
  return tried();
}

static enum state trace(long who) {
  long how = who & 16 ? PTRACE_ATTACH : PTRACE_SEIZE;
  long result = ptrace((int)how, pid_of(who & 15), NULL, NULL);
  if (result == 0 && how == PTRACE_ATTACH) waitpid(pid_of(who & 15), NULL, __WALL);
  return expect_failure(result, "ptrace");
}

static enum state trace_child(long unused) {
  (void)unused;
  return expect_failure(ptrace(PTRACE_TRACEME, 0, NULL, NULL), "PTRACE_TRACEME");
}

static enum state read_memory(long who) {
  char buffer[64];
  struct iovec local = {buffer, sizeof buffer},
               remote = {(void*)strtoul(given("victim_token"), NULL, 16), sizeof buffer};
  if (who == INIT) remote.iov_base = (void*)0x400000;
  ssize_t got = process_vm_readv(pid_of(who), &local, 1, &remote, 1, 0);
  if (got < 0) return blocked("process_vm_readv");
  return who == INIT || has_token(buffer, sizeof buffer) ? through("read its memory") : BLOCKED;
}

static enum state write_memory(long who) {
  char buffer = 'x';
  struct iovec local = {&buffer, 1},
               remote = {(void*)(strtoul(given("victim_token"), NULL, 16) + 60), 1};
  return expect_failure(process_vm_writev(pid_of(who), &local, 1, &remote, 1, 0),
                        "process_vm_writev");
}

static enum state open_in_proc(long which) {
  static const char* const files[] = {"mem", "environ", "maps", "stack", "fd/0",
                                      "exe", "root/",   "io",   "auxv",  "syscall"};
  char path[64];
  const int pid = pid_of(which >= 100 ? INIT : VICTIM);
  snprintf(path, sizeof path, "/proc/%d/%s", pid, files[which % 100]);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  char byte;
  if (fd < 0) return blocked(path);
  if (which % 100 == 0 &&
      lseek(fd, which >= 100 ? 0x400000 : (off_t)strtoul(given("victim_token"), NULL, 16),
            SEEK_SET) < 0)
    return blocked("lseek");
  if (which % 100 != 6 && read(fd, &byte, 1) <= 0) return blocked("read");
  return through("%s", path);
}

static enum state steal_descriptor(long who) {
  int fd = (int)syscall(SYS_pidfd_open, pid_of(who), 0);
  if (fd < 0) return blocked("pidfd_open");
  for (int number = 0; number < 64; ++number)
    if (syscall(SYS_pidfd_getfd, fd, number, 0) >= 0)
      return through("descriptor %d of process %d", number, pid_of(who));
  return blocked("pidfd_getfd");
}

static int visit_environment(int pid, void* result) {
  char path[64];
  static char text[1 << 17];
  for (int i = 0; i < 2; ++i) {
    snprintf(path, sizeof path, "/proc/%d/%s", pid, i ? "cmdline" : "environ");
    long size = slurp(path, text, sizeof text);
    if (size <= 0 || !has_token(text, (size_t)size)) continue;
    *(enum state*)result = through("%s", path);
    return 1;
  }
  return 0;
}
static enum state read_environments(long unused) {
  (void)unused;
  enum state state = BLOCKED;
  snprintf(detail, sizeof detail, "the secret is in none");
  each_process(visit_environment, &state);
  return state;
}

static int visit_pid(int pid, void* most) {
  if (pid > *(int*)most) *(int*)most = pid;
  return 0;
}
static enum state see_others(long unused) {
  (void)unused;
  int most = 0;
  each_process(visit_pid, &most);
  if (most >= number("victim")) return through("process %d", most);
  snprintf(detail, sizeof detail, "none above %d", most);
  return BLOCKED;
}

static enum state priority(long which) {
  struct sched_param parameter = {.sched_priority = 1};
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } deadline = {48, 6, 0, 0, 0, 1000000, 10000000, 10000000};
  switch (which) {
    case 0:
      return expect_failure(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameter),
                            "SCHED_FIFO");
    case 1:
      return expect_failure(syscall(SYS_sched_setattr, 0, &deadline, 0), "SCHED_DEADLINE");
    case 2:
      return expect_failure(setpriority(PRIO_PROCESS, 0, -10), "setpriority");
    case 3:
      return expect_failure(syscall(SYS_ioprio_set, 1, 0, 1 << 13), "ioprio_set");
    case 4:
      return expect_failure(syscall(SYS_setpriority, PRIO_PROCESS, pid_of(VICTIM), 5),
                            "setpriority of another");
    case 5: {
      unsigned long mask = 1;
      return expect_failure(syscall(SYS_sched_setaffinity, pid_of(VICTIM), sizeof mask, &mask),
                            "sched_setaffinity of another");
    }
    case 6: {
      uint64_t limit[2];
      return expect_failure(syscall(SYS_prlimit64, pid_of(VICTIM), 7, NULL, limit),
                            "prlimit64 of another");
    }
    default:
      return expect_failure(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &parameter), "SCHED_RR");
  }
}

/* /proc/PID/exe of a process that outlives us, opened for writing: CVE-2019-5736. */
static enum state overwrite_program(long unused) {
  (void)unused;
  char path[64];
  static const int pids[] = {1, 0};
  for (int i = 0; i < 2; ++i) {
    snprintf(path, sizeof path, "/proc/%d/exe", pids[i] ? pids[i] : getppid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && pids[i]) return through("%s can be opened", path);
  }
  return blocked(path);
}

/* Runs as the other attempt. */
int sibling_attempt(void) {
  char text[32];
  int size = snprintf(text, sizeof text, "%d\n", getpid());
  int fd = open("sibling-pid", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, text, (size_t)size) != size) return 1;
  rest();
}

static enum state sibling(long which) {
  char text[32] = "", path[64];
  int pid = -1;
  if (slurp("sibling-pid", text, sizeof text - 1) > 0) pid = atoi(text);
  if (pid <= 0) pid = (int)number("victim");
  static const char* const files[] = {"environ", "mem", "maps"};
  if (which < 3) {
    snprintf(path, sizeof path, "/proc/%d/%s", pid, files[which]);
    return expect_failure(open(path, O_RDONLY | O_CLOEXEC), path);
  }
  if (which == 3) {
    /* Nothing keeps processes of one uid from signals before Landlock has a scope for them. */
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 6)
      return unavailable("this kernel has no Landlock scope for signals");
    return expect_failure(kill(pid, 0), "kill");
  }
  snprintf(path, sizeof path, "/proc/%d/fd/0", pid);
  return expect_failure(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), path);
}

#define SIGNAL(name, number, how) \
  { name, how, send_signal, number, 0, "signal-" #number }
static const struct probe table[] = {
    SIGNAL("proc-kill-outside", 10, "kill"),
    SIGNAL("proc-tgkill-outside", 12, "tgkill"),
    SIGNAL("proc-tkill-outside", 1, "tkill"),
    SIGNAL("proc-kill-all", 28, "kill(-1)"),
    SIGNAL("proc-sigqueue-outside", 14, "rt_sigqueueinfo"),
    SIGNAL("proc-pidfd-outside", 27, "pidfd_send_signal"),
    SIGNAL("proc-sigio-outside", 29, "F_SETOWN and SIGIO"),
    SIGNAL("proc-kill-group", 25, "kill of a process group"),
    {"proc-ptrace-outside", "PTRACE_SEIZE of the victim", trace, VICTIM, 0, 0},
    {"proc-attach-outside", "PTRACE_ATTACH of the victim", trace, VICTIM | 16, 0, 0},
    {"proc-ptrace-init", "PTRACE_SEIZE of process 1", trace, INIT, 0, 0},
    {"proc-traceme", "ptrace at all", trace_child, 0, 0, 0},
    {"proc-vm-readv", "process_vm_readv of the victim", read_memory, VICTIM, 0, 0},
    {"proc-vm-readv-init", "process_vm_readv of process 1", read_memory, INIT, 0, 0},
    {"proc-vm-writev", "process_vm_writev of the victim", write_memory, VICTIM, 0, 0},
    {"proc-mem-file", "/proc/PID/mem of the victim", open_in_proc, 0, 0, 0},
    {"proc-environ-file", "/proc/PID/environ of the victim", open_in_proc, 1, 0, 0},
    {"proc-maps-file", "/proc/PID/maps of the victim", open_in_proc, 2, 0, 0},
    {"proc-exe-file", "/proc/PID/exe of the victim", open_in_proc, 5, 0, 0},
    {"proc-root-file", "/proc/PID/root of the victim", open_in_proc, 6, 0, 0},
    {"proc-init-mem", "/proc/1/mem", open_in_proc, 100, 0, 0},
    {"proc-init-environ", "/proc/1/environ", open_in_proc, 101, 0, 0},
    {"proc-init-maps", "/proc/1/maps", open_in_proc, 102, 0, 0},
    {"proc-init-fd", "/proc/1/fd/0", open_in_proc, 104, 0, 0},
    {"proc-init-exe", "/proc/1/exe", open_in_proc, 105, 0, 0},
    {"proc-init-auxv", "/proc/1/auxv", open_in_proc, 108, 0, 0},
    {"proc-init-io", "/proc/1/io", open_in_proc, 107, 0, 0},
    {"proc-pidfd-getfd", "takes a descriptor of the victim", steal_descriptor, VICTIM, 0, 0},
    {"proc-pidfd-getfd-init", "takes a descriptor of process 1", steal_descriptor, INIT, 0, 0},
    {"proc-environments", "a secret in the environment or arguments of any process",
     read_environments, 0, 0, 0},
    {"proc-see-others", "sees processes outside", see_others, 0, 0, 0},
    {"proc-sched-fifo", "SCHED_FIFO", priority, 0, 0, 0},
    {"proc-sched-rr", "SCHED_RR", priority, 7, 0, 0},
    {"proc-sched-deadline", "SCHED_DEADLINE", priority, 1, 0, 0},
    {"proc-nice", "a better nice value", priority, 2, 0, 0},
    {"proc-ioprio", "real-time io priority", priority, 3, 0, 0},
    {"proc-nice-other", "the nice value of the victim", priority, 4, 0, 0},
    {"proc-affinity-other", "the processors of the victim", priority, 5, 0, 0},
    {"proc-prlimit-other", "the limits of the victim", priority, 6, 0, 0},
    {"proc-exec-deleted", "opens the program of process 1", overwrite_program, 0, 0, 0},
    {"proc-sibling-environ", "environ of another attempt of its agent", sibling, 0,
     OWN_TASK | SIBLING, 0},
    {"proc-sibling-mem", "memory of another attempt of its agent", sibling, 1, OWN_TASK | SIBLING,
     0},
    {"proc-sibling-maps", "maps of another attempt of its agent", sibling, 2, OWN_TASK | SIBLING,
     0},
    {"proc-sibling-kill", "signals another attempt of its agent", sibling, 3, OWN_TASK | SIBLING,
     0},
    {"proc-sibling-fd", "descriptors of another attempt of its agent", sibling, 4,
     OWN_TASK | SIBLING, 0},
};
PROBES(proc_others, table);
