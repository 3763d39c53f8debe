/* SPDX-License-Identifier: Apache-2.0
 * More memory, or more in files that are memory, than the agent may have: 256 MiB, of which half
 * may be in /tmp. Outside each takes no more than 300 MiB for a moment. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "attack.h"

#define MIB (1l << 20)

static enum state kept(long bytes, long limit, const char* what) {
  if (bytes > limit) return through("%ld MiB of %s", bytes / MIB, what);
  int error = errno;
  snprintf(detail, sizeof detail, "%ld MiB of %s, then %s", bytes / MIB, what, strerror(error));
  return BLOCKED;
}

static enum state map_memory(long flags) {
  const long limit = number("memory");
  char* at = mmap(NULL, (size_t)(limit + 32 * MIB), PROT_READ | PROT_WRITE,
                  MAP_ANONYMOUS | (int)flags, -1, 0);
  if (at == MAP_FAILED) return blocked("mmap");
  for (long i = 0; i < limit + 32 * MIB; i += 4096) at[i] = 1;
  return kept(limit + 32 * MIB, limit, "memory");
}

static enum state locked_memory(long unused) {
  (void)unused;
  char* at =
      mmap(NULL, (size_t)(64 * MIB), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (at == MAP_FAILED || mlock(at, (size_t)(64 * MIB)) < 0) return blocked("mlock");
  return kept(64 * MIB, 32 * MIB, "locked memory");
}

static enum state huge_pages(long unused) {
  (void)unused;
  char* at =
      mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_HUGETLB, -1, 0);
  return expect_failure(at == MAP_FAILED ? -1 : 1, "mmap of huge pages");
}

/* Each is below the limit; together they are not. */
static enum state many(long unused) {
  (void)unused;
  const long limit = number("memory"), each = limit / 4;
  int ends[2], done[2], alive = 0;
  char byte;
  if (pipe(ends) < 0 || pipe(done) < 0) return blocked("pipe");
  for (int i = 0; i < 5; ++i)
    if (fork() == 0) {
      char* at =
          mmap(NULL, (size_t)each, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
      for (long j = 0; at != MAP_FAILED && j < each; j += 4096) at[j] = 1;
      close(done[1]);
      if (write(ends[1], "x", 1) != 1) _exit(1);
      _exit(read(done[0], &byte, 1) != 0); /* until all are there */
    }
  close(ends[1]);
  while (alive < 5 && read(ends[0], &byte, 1) == 1) {
    /* A dead one says nothing: end of file comes when all others have written or died. */
    ++alive;
    int status;
    while (waitpid(-1, &status, WNOHANG) > 0) --alive;
  }
  int status, dead = 0;
  while (waitpid(-1, &status, WNOHANG) > 0) dead += WIFSIGNALED(status);
  close(done[1]);
  errno = ENOMEM;
  return kept((alive - dead) * each, limit, "memory in five processes");
}

static enum state fill(int fd, long bytes, long limit, const char* what) {
  static char block[1 << 20];
  memset(block, 'x', sizeof block);
  long done = 0;
  while (done < bytes) {
    ssize_t put = write(fd, block, sizeof block);
    if (put <= 0) break;
    done += put;
  }
  return kept(done, limit, what);
}

static enum state fill_file(long which) {
  static const char* const places[] = {"/tmp", "/dev/shm", "/",     "/dev",    "/run",
                                       "/etc", "/var/tmp", "/proc", "/dev/pts"};
  const bool shared = which < 2;
  char path[128];
  snprintf(path, sizeof path, "%s/%s", places[which], current->name);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return blocked(path);
  const long limit = shared ? number("tmp") : 0;
  enum state state = fill(fd, shared ? limit + 8 * MIB : MIB, limit, places[which]);
  unlink(path);
  return state;
}

static enum state fill_memfd(long unused) {
  (void)unused;
  int fd = (int)syscall(SYS_memfd_create, "attack", 1);
  if (fd < 0) return blocked("memfd_create");
  return fill(fd, number("memory") + 32 * MIB, number("memory"), "a memfd");
}

static enum state fill_shm(long unused) {
  (void)unused;
  const long limit = number("memory");
  int id = shmget(IPC_PRIVATE, (size_t)(limit + 32 * MIB), 0600);
  char* at = id < 0 ? MAP_FAILED : shmat(id, NULL, 0);
  if (id >= 0) shmctl(id, IPC_RMID, NULL);
  if (at == MAP_FAILED) return blocked("shmget");
  for (long i = 0; i < limit + 32 * MIB; i += 4096) at[i] = 1;
  return kept(limit + 32 * MIB, limit, "shared memory");
}

/* Memory of the kernel: buffers of pipes and of sockets. */
static enum state fill_buffers(long sockets) {
  const long limit = number("memory");
  static char block[65536];
  struct rlimit most;
  getrlimit(RLIMIT_NOFILE, &most);
  most.rlim_cur = most.rlim_max;
  setrlimit(RLIMIT_NOFILE, &most);
  long done = 0;
  for (int i = 0; i < 7000 && done <= limit + 32 * MIB; ++i) {
    int ends[2];
    if (sockets ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends)
                : pipe2(ends, O_NONBLOCK))
      break;
    int size = 1 << 20;
    if (sockets)
      setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    else
      fcntl(ends[1], F_SETPIPE_SZ, size);
    ssize_t put;
    while ((put = write(ends[1], block, sizeof block)) > 0) done += put;
  }
  return kept(done, limit, "buffers");
}

static enum state inodes(long unused) {
  (void)unused;
  const long limit = number("inodes");
  mkdir("/tmp/inodes", 0700);
  int directory = open("/tmp/inodes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long count = 0;
  for (; count <= limit + 10; ++count) {
    char name[32];
    snprintf(name, sizeof name, "%ld", count);
    if (mknodat(directory, name, S_IFREG | 0600, 0) < 0) break;
  }
  int error = errno;
  for (long i = 0; i < count; ++i) {
    char name[32];
    snprintf(name, sizeof name, "%ld", i);
    unlinkat(directory, name, 0);
  }
  rmdir("/tmp/inodes");
  if (count > limit) return through("%ld files", count);
  snprintf(detail, sizeof detail, "%ld files, then %s", count, strerror(error));
  return BLOCKED;
}

static enum state large_file(long how) {
  signal(SIGXFSZ, SIG_IGN);
  int fd = open("large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const off_t size = (off_t)number("file_size") + 4096;
  long result = how == 0   ? ftruncate(fd, size)
                : how == 1 ? pwrite(fd, "x", 1, size)
                           : fallocate(fd, 0, size, 4096);
  unlink("large");
  return expect_failure(result, "a file above the limit");
}

/* A limit that is watched is a bit late: what counts is whether it goes on for seconds. */
static enum state fill_work(long without_name) {
  const long limit = number("disk");
  long done = 0;
  static char block[1 << 20];
  memset(block, 'x', sizeof block);
  double beyond = 0;
  for (int i = 0; beyond == 0 || seconds() < beyond + 5; ++i) {
    char name[32];
    snprintf(name, sizeof name, "fill%d", i);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (without_name) unlink(name); /* an open file all the same */
    for (int part = 0; part < (beyond == 0 ? 4 : 1); ++part) {
      ssize_t put = write(fd, block, sizeof block);
      if (put <= 0) return kept(done, limit, "the work directory");
      done += put;
    }
    if (!without_name) close(fd);
    if (done <= limit) continue;
    if (beyond == 0) beyond = seconds();
    usleep(100000);
  }
  return kept(done, limit, "the work directory, for 5 s");
}

static const struct probe table[] = {
    {"res-mem", "touches more memory than it may have", map_memory, MAP_PRIVATE, OWN_TASK | MAY_DIE,
     0},
    {"res-mem-shared", "the same, shared", map_memory, MAP_SHARED, OWN_TASK | MAY_DIE, 0},
    {"res-mem-populate", "the same at once", map_memory, MAP_PRIVATE | MAP_POPULATE,
     OWN_TASK | MAY_DIE, 0},
    {"res-mem-many", "five processes together", many, 0, OWN_TASK | MAY_DIE, 0},
    {"res-mem-lock", "locks 64 MiB", locked_memory, 0, OWN_TASK | MAY_DIE, 0},
    {"res-hugetlb", "huge pages", huge_pages, 0, OWN_TASK | MAY_DIE, 0},
    {"res-memfd", "a memfd", fill_memfd, 0, OWN_TASK | MAY_DIE, 0},
    {"res-sysv-size", "shared memory of System V", fill_shm, 0, OWN_TASK | MAY_DIE, 0},
    {"res-pipe-buffers", "buffers of pipes", fill_buffers, 0, OWN_TASK | MAY_DIE, 0},
    {"res-socket-buffers", "buffers of sockets", fill_buffers, 1, OWN_TASK | MAY_DIE, 0},
    {"res-tmpfs-size", "fills /tmp", fill_file, 0, OWN_TASK | MAY_DIE, 0},
    {"res-shm-size", "fills /dev/shm", fill_file, 1, OWN_TASK | MAY_DIE, 0},
    {"res-root-tmpfs", "writes to /", fill_file, 2, 0, 0},
    {"res-dev-tmpfs", "writes to /dev", fill_file, 3, 0, 0},
    {"res-run-tmpfs", "writes to /run", fill_file, 4, 0, 0},
    {"res-etc-tmpfs", "writes to /etc", fill_file, 5, LAYERED, 0},
    {"res-inodes", "more files in /tmp than it may have", inodes, 0, OWN_TASK | MAY_DIE, 0},
    {"res-file-size", "a file above the limit, by ftruncate", large_file, 0, 0, 0},
    {"res-file-size-write", "by write", large_file, 1, 0, 0},
    {"res-file-size-fallocate", "by fallocate", large_file, 2, 0, 0},
    {"res-disk", "fills its work directory", fill_work, 0, OWN_TASK | MAY_DIE | DISK, 0},
    {"res-disk-deleted", "fills it with files that have no names", fill_work, 1,
     OWN_TASK | MAY_DIE | DISK, 0},
};
PROBES(res_memory, table);
