/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include "attack.h"

char detail[200];

enum state blocked(const char* what) {
  snprintf(detail, sizeof detail, "%s: %s", what, strerror(errno));
  return BLOCKED;
}

enum state through(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(detail, sizeof detail, format, arguments);
  va_end(arguments);
  return SUCCEEDED;
}

enum state tried(void) {
  if (!*detail) snprintf(detail, sizeof detail, "seen from outside");
  return TRIED;
}

enum state unavailable(const char* what) {
  snprintf(detail, sizeof detail, "%s", what);
  return UNAVAILABLE;
}

enum state expect_failure(long result, const char* call) {
  return result < 0 ? blocked(call) : through("%s gave %ld", call, result);
}

enum state expect_refusal(long result, const char* call) {
  if (result >= 0) return through("%s gave %ld", call, result);
  switch (errno) {
    case EPERM:
    case EACCES:
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EOPNOTSUPP:
    case ENOPROTOOPT:
      return blocked(call);
    default:
      return through("%s got as far as: %s", call, strerror(errno));
  }
}

long slurp(const char* path, void* buffer, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  size_t done = 0;
  ssize_t got = 0;
  while (done < size && (got = read(fd, (char*)buffer + done, size - done)) > 0)
    done += (size_t)got;
  int error = errno;
  close(fd);
  errno = error;
  return got < 0 && done == 0 ? -1 : (long)done;
}

enum state read_token(int directory, const char* path) {
  char buffer[4096];
  int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return blocked("open");
  ssize_t got = read(fd, buffer, sizeof buffer);
  close(fd);
  if (got < 0) return blocked("read");
  if (has_token(buffer, (size_t)got)) return through("read the secret");
  snprintf(detail, sizeof detail, "another file");
  return BLOCKED;
}

enum state read_any(const char* path) {
  char buffer[4096];
  long got = slurp(path, buffer, sizeof buffer);
  if (got < 0) return blocked(path);
  if (got == 0) {
    snprintf(detail, sizeof detail, "%s: empty", path);
    return BLOCKED;
  }
  return through("%s: %ld bytes", path, got);
}

enum state open_for_writing(const char* path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return blocked(path);
  struct stat status;
  fstat(fd, &status);
  close(fd);
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)) {
    snprintf(detail, sizeof detail, "%s: covered by /dev/null", path);
    return BLOCKED;
  }
  return through("%s can be written", path);
}

enum state write_to(int directory, const char* path) {
  int fd = openat(directory, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return blocked("open");
  ssize_t put = write(fd, "attacked", 8);
  close(fd);
  return put < 0 ? blocked("write") : through("written");
}

const char* canary(const char* directory_key, const char* suffix) {
  static char paths[4][512];
  static unsigned next;
  char* path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s%s", given(directory_key), current->name, suffix);
  return path;
}

int each_process(int (*visit)(int pid, void* context), void* context) {
  DIR* proc = opendir("/proc");
  if (!proc) return 0;
  int result = 0;
  for (struct dirent* entry; !result && (entry = readdir(proc)) != NULL;) {
    int pid = atoi(entry->d_name);
    if (pid > 0) result = visit(pid, context);
  }
  closedir(proc);
  return result;
}

int run_child(int (*function)(void)) {
  int status = -1;
  pid_t pid = fork();
  if (pid == 0) _exit(function());
  if (pid < 0) return -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void mark_process(void) {
  char name[16];
  size_t index = 0;
  while (probe_at(index) && probe_at(index) != current) ++index;
  snprintf(name, sizeof name, "atk-%zu", index);
  prctl(PR_SET_NAME, name, 0, 0, 0);
}

double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void rest(void) {
  for (;;) pause();
}
