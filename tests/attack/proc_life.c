/* SPDX-License-Identifier: Apache-2.0
 * Living on after the task has ended. Each leaves processes that the outside finds by their names.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "attack.h"

static _Noreturn void stay(void) {
  mark_process();
  for (int signal = 1; signal < 65; ++signal)
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
  alarm(0);
  rest();
}

static enum state leave_behind(long how) {
  int ready[2];
  char byte;
  if (pipe(ready) < 0) return blocked("pipe");
  if (how == 2) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const int copies = how == 1 ? 20 : 1;
  for (int i = 0; i < copies; ++i) {
    pid_t pid = fork();
    if (pid < 0) return blocked("fork");
    if (pid > 0) continue;
    setsid();
    if (how == 3) syscall(SYS_unshare, 0x20000000); /* another pid namespace, if it can */
    if (fork() == 0) {
      setsid();
      if (how == 4) { /* a chain: each waits for the death of its parent and makes another */
        prctl(PR_SET_PDEATHSIG, 0);
        for (int link = 0; link < 10; ++link)
          if (fork() > 0) _exit(0);
      }
      if (write(ready[1], "r", 1) != 1) _exit(1);
      stay();
    }
    _exit(0);
  }
  for (int i = 0; i < copies; ++i)
    if (read(ready[0], &byte, 1) != 1) return blocked("read");
  return tried();
}

/* Holds the streams of the task open. */
static enum state hold_output(long unused) {
  (void)unused;
  int ready[2];
  char byte;
  if (pipe(ready) < 0) return blocked("pipe");
  if (fork() == 0) {
    setsid();
    for (int fd = 20; fd < 40; ++fd) dup2(1, fd);
    if (write(ready[1], "r", 1) != 1) _exit(1);
    stay();
  }
  return read(ready[0], &byte, 1) == 1 ? tried() : blocked("read");
}

static enum state stay_in_foreground(long stop) {
  mark_process();
  for (int signal = 1; signal < 65; ++signal)
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
  if (stop) {
    if (fork() == 0) { /* keeps everything stopped */
      mark_process();
      for (;;) {
        kill(-1, SIGSTOP);
        usleep(1000);
      }
    }
  }
  rest();
}

/* Orphans that nobody of ours reaps: process 1 has to. */
static int count_zombies(int pid, void* count) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  slurp(path, text, sizeof text - 1);
  char* at = strrchr(text, ')');
  if (at && at[2] == 'Z') ++*(int*)count;
  return 0;
}
static enum state make_zombies(long unused) {
  (void)unused;
  if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) < 0) return blocked("prctl");
  for (int i = 0; i < 1000; ++i) {
    pid_t pid = fork();
    if (pid == 0) {
      if (fork() == 0) _exit(0);
      _exit(0);
    }
    if (pid > 0) waitpid(pid, NULL, 0);
  }
  int zombies = 0;
  for (double end = seconds() + 2; seconds() < end; usleep(10000)) {
    zombies = 0;
    each_process(count_zombies, &zombies);
    if (zombies < 10) break;
  }
  return zombies < 10 ? (snprintf(detail, sizeof detail, "%d left", zombies), BLOCKED)
                      : through("%d zombies", zombies);
}

static const struct probe table[] = {
    {"proc-daemon", "two forks and a session of its own", leave_behind, 0, OWN_TASK | LEAVES, 0},
    {"proc-daemon-many", "twenty of them", leave_behind, 1, OWN_TASK | LEAVES, 0},
    {"proc-subreaper", "adopts its own orphans", leave_behind, 2, OWN_TASK | LEAVES, 0},
    {"proc-daemon-chain", "parents that die one after the other", leave_behind, 4,
     OWN_TASK | LEAVES, 0},
    {"proc-hold-output", "a child that holds the output open", hold_output, 0, OWN_TASK | LEAVES,
     0},
    {"proc-ignore-term", "ignores every signal and runs for ever", stay_in_foreground, 0,
     OWN_TASK | LEAVES | TIME_OUT | MAY_DIE, 0},
    {"proc-stop-all", "keeps all processes stopped", stay_in_foreground, 1,
     OWN_TASK | LEAVES | TIME_OUT | MAY_DIE, 0},
    {"proc-zombies", "a thousand orphans", make_zombies, 0, OWN_TASK, 0},
};
PROBES(proc_life, table);
