/* SPDX-License-Identifier: Apache-2.0
 * The floor: the namespaces and mounts of a sandbox, by the shortest way that we know, and then the
 * program /work/echo. No limits, no seccomp, no supervision, no error messages.
 * Usage: sandbox_floor WORKDIR (as root) */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(x)          \
  do {                   \
    if ((x) < 0) {       \
      perror(#x);        \
      _exit(1);          \
    }                    \
  } while (0)

static const char *work;

static void bind_mount(const char *from, const char *to, unsigned long flags) {
  MUST(mount(from, to, NULL, MS_BIND, NULL));
  if (flags) MUST(mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | flags, NULL));
}

static void device(const char *name) {
  char to[64];
  snprintf(to, sizeof to, "/tmp%s", name);
  MUST(mknod(to, S_IFREG | 0666, 0));
  bind_mount(name, to, 0);
}

static int child(void *unused) {
  (void)unused;
  char *argv[] = {"/work/echo", NULL};
  char *envp[] = {NULL};
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  int work_fd = open(work, O_PATH | O_CLOEXEC);
  MUST(work_fd);
  MUST(mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755"));
  const char *dirs[] = {"/tmp/usr", "/tmp/work", "/tmp/proc", "/tmp/dev", "/tmp/tmp", "/tmp/etc"};
  for (unsigned i = 0; i < sizeof dirs / sizeof *dirs; ++i) MUST(mkdir(dirs[i], 0755));
  MUST(symlink("usr/bin", "/tmp/bin"));
  MUST(symlink("usr/lib", "/tmp/lib"));
  MUST(symlink("usr/lib64", "/tmp/lib64"));
  bind_mount("/usr", "/tmp/usr", MS_RDONLY | MS_NOSUID | MS_NODEV);
  char from[64];
  snprintf(from, sizeof from, "/proc/self/fd/%d", work_fd);
  bind_mount(from, "/tmp/work", MS_NOSUID | MS_NODEV);
  MUST(mount("none", "/tmp/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m"));
  MUST(mount("none", "/tmp/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
  device("/dev/null");
  device("/dev/zero");
  device("/dev/full");
  device("/dev/random");
  device("/dev/urandom");
  device("/dev/tty");
  MUST(chdir("/tmp"));
  MUST(syscall(SYS_pivot_root, ".", "."));
  MUST(umount2(".", MNT_DETACH));
  MUST(chdir("/work"));
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  MUST(ioctl(fd, SIOCSIFFLAGS, &request));
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  MUST(syscall(SYS_close_range, 3, ~0U, 0));
  execve(argv[0], argv, envp);
  perror("execve");
  _exit(1);
}

int main(int argc, char **argv) {
  static char stack[1 << 16] __attribute__((aligned(16)));
  if (argc != 2) return 2;
  work = argv[1];
  pid_t pid = clone(child, stack + sizeof stack,
                    CLONE_VM | CLONE_VFORK | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD,
                    NULL);
  MUST(pid);
  int status;
  MUST(waitpid(pid, &status, 0));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
