/* SPDX-License-Identifier: Apache-2.0
 * More of something than the agent may have. The limits are those of the agents that
 * tests/attack/run makes: context says which. Outside, where they do not hold, all of these get a
 * little further than the limit and stop there: nothing here can hurt a machine. */
#include <mqueue.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "attack.h"

static enum state counted(long count, long limit, const char* what) {
  int error = errno;
  if (count > limit) return through("%ld %s", count, what);
  snprintf(detail, sizeof detail, "%ld %s, then %s", count, what, strerror(error));
  return BLOCKED;
}

static enum state fork_many(long unused) {
  (void)unused;
  const long limit = number("pids");
  long count = 0;
  for (; count <= limit + 20; ++count) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) rest();
  }
  return counted(count, limit, "processes");
}

static void* wait_here(void* unused) {
  (void)unused;
  rest();
}
static enum state thread_many(long unused) {
  (void)unused;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  const long limit = number("pids");
  long count = 0;
  for (pthread_t thread; count <= limit + 20; ++count) {
    errno = pthread_create(&thread, &attributes, wait_here, NULL);
    if (errno) break;
  }
  return counted(count, limit, "threads");
}

/* Twice as many each round until nothing more can be made. */
static enum state fork_bomb(long unused) {
  (void)unused;
  const long limit = number("pids");
  int ends[2];
  if (pipe(ends) < 0) return blocked("pipe");
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  for (int round = 0; round < 8; ++round) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0 && write(ends[1], "x", 1) < 0) _exit(1);
    if (pid == 0) continue;
  }
  if (getpgrp() != getpid()) rest();
  long count = 0;
  char bytes[512];
  for (double end = seconds() + 1; seconds() < end && count <= limit;) {
    ssize_t got = read(ends[0], bytes, sizeof bytes);
    if (got > 0)
      count += got;
    else
      usleep(1000);
  }
  errno = EAGAIN;
  return counted(count, limit, "processes");
}

static enum state descriptors(long unused) {
  (void)unused;
  const long limit = number("nofile");
  struct rlimit most;
  getrlimit(RLIMIT_NOFILE, &most);
  if (getuid() == 0 && most.rlim_max < 40000) most.rlim_max = 40000;
  most.rlim_cur = most.rlim_max;
  setrlimit(RLIMIT_NOFILE, &most);
  long count = 0;
  while (count <= limit + 20 && dup(0) >= 0) ++count;
  return counted(count, limit, "descriptors");
}

/* Descriptors in flight are not open in any process. */
static enum state in_flight(long unused) {
  (void)unused;
  /* The kernel counts them by user, against the limit of one process. */
  const long limit = 2 * number("nofile");
  struct rlimit most;
  getrlimit(RLIMIT_NOFILE, &most);
  most.rlim_cur = most.rlim_max;
  setrlimit(RLIMIT_NOFILE, &most);
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * 250)];
  } control = {.header = {CMSG_LEN(sizeof(int) * 250), 0, SOL_SOCKET, SCM_RIGHTS}};
  char byte = 0;
  struct iovec part = {&byte, 1};
  long count = 0;
  while (count <= limit + 300) {
    int ends[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) < 0) break;
    for (int i = 0; i < 250; ++i)
      memcpy(CMSG_DATA(&control.header) + i * (int)sizeof null, &null, sizeof null);
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    long before = count;
    while (count <= limit + 300 && sendmsg(ends[0], &message, MSG_NOSIGNAL) > 0) count += 250;
    if (before == count) break;
  }
  return counted(count, limit, "descriptors in flight");
}

static enum state queues(long unused) {
  (void)unused;
  struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = 8192};
  long bytes = 0;
  setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
  for (int i = 0; i < 300; ++i) {
    char name[32];
    snprintf(name, sizeof name, "/attack%d", i);
    mqd_t queue = mq_open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600, &attributes);
    mq_unlink(name);
    if (queue < 0) break;
    bytes += 10 * 8192;
  }
  return counted(bytes, 2 << 20, "bytes of message queues");
}

static enum state seen_by_host(long which) {
  /* System V objects stay when their maker is gone: they must not stay in the host. */
  int id = which == 0   ? shmget(0x41544b00, 4096, IPC_CREAT | 0666)
           : which == 1 ? semget(0x41544b01, 1, IPC_CREAT | 0666)
                        : msgget(0x41544b02, IPC_CREAT | 0666);
  if (id < 0) return blocked("System V");
  return tried();
}

/* Terminals of the sandbox are in a devpts of its own. */
static enum state terminals(long unused) {
  (void)unused;
  struct stat own;
  if (stat("/dev/pts", &own) < 0) return blocked("/dev/pts");
  if ((long)own.st_dev == number("devpts")) return through("terminals of the host");
  snprintf(detail, sizeof detail, "terminals of its own");
  return BLOCKED;
}

static enum state spin(long processes) {
  struct rusage before, after;
  getrusage(RUSAGE_CHILDREN, &before);
  double start = seconds();
  for (long i = 0; i < processes; ++i)
    if (fork() == 0) {
      while (seconds() < start + 1.5) {
      }
      _exit(0);
    }
  while (wait(NULL) > 0) {
  }
  double took = seconds() - start;
  getrusage(RUSAGE_CHILDREN, &after);
  double used = (double)(after.ru_utime.tv_sec + after.ru_stime.tv_sec) +
                (double)(after.ru_utime.tv_usec + after.ru_stime.tv_usec) / 1e6;
  if (used / took > 0.3) return through("%.2f of a processor", used / took);
  snprintf(detail, sizeof detail, "%.2f of a processor", used / took);
  return BLOCKED;
}

static enum state flood(long error) {
  static char block[65536];
  memset(block, 'x', sizeof block);
  block[79] = '\n';
  for (int i = 0; i < 320; ++i) /* 20 MiB */
    if (write(error ? 2 : 1, block, sizeof block) < 0) return blocked("write");
  return tried();
}

static enum state run_for_ever(long unused) {
  (void)unused;
  mark_process();
  rest();
}

static const struct probe table[] = {
    {"res-processes", "more processes than it may have", fork_many, 0, OWN_TASK, 0},
    {"res-threads", "more threads", thread_many, 0, OWN_TASK, 0},
    {"res-fork-bomb", "a fork bomb", fork_bomb, 0, OWN_TASK, 0},
    {"res-fd", "more descriptors", descriptors, 0, OWN_TASK, 0},
    {"res-fd-in-flight", "more descriptors, in flight", in_flight, 0, OWN_TASK, 0},
    {"res-mqueue", "POSIX message queues", queues, 0, OWN_TASK, 0},
    {"res-sysv-shm", "shared memory of System V that stays in the host", seen_by_host, 0, 0, 0},
    {"res-sysv-sem", "a semaphore of System V that stays in the host", seen_by_host, 1, 0, 0},
    {"res-sysv-msg", "a message queue of System V that stays in the host", seen_by_host, 2, 0, 0},
    {"res-pty", "terminals of the host", terminals, 0, 0, 0},
    {"res-cpu-spin", "four processes that spin", spin, 4, OWN_TASK | SPINS, 0},
    {"res-cpu-many", "sixteen processes that spin", spin, 16, OWN_TASK | SPINS, 0},
    {"res-output-flood", "prints 20 MiB", flood, 0, OWN_TASK | FLOODS, 0},
    {"res-error-flood", "prints 20 MiB of errors", flood, 1, OWN_TASK | FLOODS, 0},
    {"res-time", "runs past its timeout", run_for_ever, 0, OWN_TASK | TIME_OUT | LEAVES | MAY_DIE,
     0},
};
PROBES(res_counts, table);
