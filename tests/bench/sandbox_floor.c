/* SPDX-License-Identifier: Apache-2.0
 * The floor: the kernel steps of a sandbox, by the shortest way that we know, and then the program:
 * namespaces, mounts, masks, limits in cgroups (v1), an unprivileged user, no capabilities,
 * Landlock, seccomp. No pid 1 of its own, no supervision, no checks, no error messages. Linked with
 * musl, whose start asks the processor nothing.
 * Usage: sandbox_floor WORKDIR [PROGRAM] (as root) */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
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

#define MUST(x)    \
  do {             \
    if ((x) < 0) { \
      perror(#x);  \
      _exit(1);    \
    }              \
  } while (0)

static const char* work;
static char* program = "/work/echo";

static struct sock_filter filter[] = {
#include "isolation/builtin_filter.inc"
};

/* Groups, limits and `tasks` files, made by the parent. */
static const struct {
  const char *hierarchy, *file, *value;
} limits[] = {{"memory", "memory.limit_in_bytes", "536870912"},
              {"memory", "memory.memsw.limit_in_bytes", "536870912"},
              {"cpu", "cpu.cfs_quota_us", "100000"},
              {"pids", "pids.max", "512"}};
static char group[3][512];
static int tasks[3];

static const char* own_group(const char* text, const char* hierarchy) {
  static char path[256];
  char key[32];
  snprintf(key, sizeof key, ":%s:", hierarchy);
  const char* at = strstr(text, key);
  path[0] = 0;
  if (at) sscanf(at + strlen(key), "%255[^\n]", path);
  return path;
}

static void make_groups(void) {
  char text[8192];
  int fd = open("/proc/self/cgroup", O_RDONLY);
  ssize_t got = read(fd, text, sizeof text - 1);
  MUST(got);
  text[got] = 0;
  close(fd);
  int count = -1;
  for (unsigned i = 0; i < sizeof limits / sizeof *limits; ++i) {
    if (i == 0 || strcmp(limits[i].hierarchy, limits[i - 1].hierarchy) != 0) {
      ++count;
      snprintf(group[count], sizeof group[count], "/sys/fs/cgroup/%s%s/fabric-floor-%d",
               limits[i].hierarchy, own_group(text, limits[i].hierarchy), getpid());
      MUST(mkdir(group[count], 0755));
      char path[600];
      snprintf(path, sizeof path, "%s/tasks", group[count]);
      MUST(tasks[count] = open(path, O_WRONLY | O_CLOEXEC));
    }
    char path[600];
    snprintf(path, sizeof path, "%s/%s", group[count], limits[i].file);
    fd = open(path, O_WRONLY);
    if (fd < 0) continue; /* no accounting of swap */
    MUST(write(fd, limits[i].value, strlen(limits[i].value)));
    close(fd);
  }
}

static void give_up_privileges(void) {
  for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  MUST(setgroups(0, NULL));
  MUST(syscall(SYS_setresgid, 100001, 100001, 100001));
  MUST(syscall(SYS_setresuid, 100001, 100001, 100001));
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void allow(int ruleset, const char* path, uint64_t rights) {
  struct __attribute__((packed)) {
    uint64_t rights;
    int fd;
  } rule = {rights, open(path, O_PATH | O_CLOEXEC)};
  MUST(syscall(SYS_landlock_add_rule, ruleset, 1, &rule, 0));
  close(rule.fd);
}

static void restrict_files(void) {
  const uint64_t all = (1 << 14) - 1;
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
  MUST(ruleset);
  allow(ruleset, "/", 1 | 4 | 8);
  allow(ruleset, "/dev", 2);
  allow(ruleset, "/work", all);
  allow(ruleset, "/tmp", all);
  MUST(syscall(SYS_landlock_restrict_self, ruleset, 0));
  close(ruleset);
}

struct attributes {
  uint64_t set, clear, propagation, userns;
};
enum { k_rdonly = 1, k_nosuid = 2, k_nodev = 4, k_noexec = 8 };

static int clone_tree(const char* from, uint64_t set) {
  struct attributes change = {set, 0, MS_PRIVATE, 0};
  const unsigned flags = 1 | O_CLOEXEC | 0x8000; /* OPEN_TREE_CLONE, AT_RECURSIVE */
  int tree = (int)syscall(467, AT_FDCWD, from, flags, &change, sizeof change);
  if (tree >= 0) return tree; /* open_tree_attr: Linux 6.15 */
  MUST(tree = (int)syscall(SYS_open_tree, AT_FDCWD, from, flags));
  MUST(syscall(SYS_mount_setattr, tree, "", 0x9000, &change, sizeof change));
  return tree;
}

static void attach(int tree, const char* to) {
  MUST(syscall(SYS_move_mount, tree, "", AT_FDCWD, to, 4));
  close(tree);
}

static void bind_mount(const char* from, const char* to, uint64_t set) {
  attach(clone_tree(from, set), to);
}

static void copy(const char* name) {
  char from[64], to[64], text[16384];
  snprintf(from, sizeof from, "/etc/%s", name);
  snprintf(to, sizeof to, "/tmp/etc/%s", name);
  int in = open(from, O_RDONLY | O_CLOEXEC), out;
  if (in < 0) return;
  ssize_t size = read(in, text, sizeof text);
  close(in);
  MUST(out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  MUST(write(out, text, (size_t)size));
  close(out);
}

static void make_root(void) {
  int work_tree = clone_tree(work, k_nosuid | k_nodev);
  MUST(mount("none", "/tmp", "tmpfs", MS_NOSUID, "size=1m,mode=755"));
  const char* dirs[] = {"/tmp/usr", "/tmp/work",    "/tmp/proc",    "/tmp/dev",    "/tmp/tmp",
                        "/tmp/etc", "/tmp/etc/ssl", "/tmp/dev/pts", "/tmp/dev/shm"};
  for (unsigned i = 0; i < sizeof dirs / sizeof *dirs; ++i) MUST(mkdir(dirs[i], 0755));
  MUST(symlink("usr/bin", "/tmp/bin"));
  MUST(symlink("usr/sbin", "/tmp/sbin"));
  MUST(symlink("usr/lib", "/tmp/lib"));
  MUST(symlink("usr/lib64", "/tmp/lib64"));
  bind_mount("/usr", "/tmp/usr", k_rdonly | k_nosuid | k_nodev);
  const char* shown[] = {"/etc/alternatives", "/etc/ssl/certs", "/etc/fonts", "/opt"};
  for (unsigned i = 0; i < sizeof shown / sizeof *shown; ++i) {
    char to[64];
    if (access(shown[i], F_OK) != 0) continue;
    snprintf(to, sizeof to, "/tmp%s", shown[i]);
    MUST(mkdir(to, 0755));
    bind_mount(shown[i], to, k_rdonly | k_nosuid | k_nodev);
  }
  MUST(mknod("/tmp/etc/ld.so.cache", S_IFREG | 0644, 0));
  bind_mount("/etc/ld.so.cache", "/tmp/etc/ld.so.cache", k_rdonly | k_nosuid | k_nodev);
  const char* copied[] = {"protocols", "services", "ssl/openssl.cnf", "passwd",
                          "group",     "hosts",    "nsswitch.conf"};
  for (unsigned i = 0; i < sizeof copied / sizeof *copied; ++i) copy(copied[i]);
  attach(work_tree, "/tmp/work");
  MUST(mount("none", "/tmp/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=256m"));
  MUST(mount("none", "/tmp/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=256m"));
  MUST(mount("none", "/tmp/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666"));
  const struct {
    const char* path;
    int minor;
  } devices[] = {{"/tmp/dev/null", 3},   {"/tmp/dev/zero", 5},    {"/tmp/dev/full", 7},
                 {"/tmp/dev/random", 8}, {"/tmp/dev/urandom", 9}, {"/tmp/dev/tty", 0}};
  for (unsigned i = 0; i < sizeof devices / sizeof *devices; ++i)
    MUST(mknod(devices[i].path, S_IFCHR | 0666,
               (dev_t)((devices[i].minor == 0 ? 5 : 1) << 8 | devices[i].minor)));
}

static void make_proc(void) {
  MUST(mount("none", "/tmp/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
  const char* read_only[] = {"/tmp/proc/sys", "/tmp/proc/irq", "/tmp/proc/bus"};
  for (unsigned i = 0; i < 3; ++i)
    bind_mount(read_only[i], read_only[i], k_rdonly | k_nosuid | k_nodev | k_noexec);
  MUST(mkdir("/tmp/.none", 0));
  const char* hidden[] = {"acpi",    "asound",   "config.gz", "fs",           "iomem",
                          "ioports", "kallsyms", "key-users", "keys",         "kpagecgroup",
                          "modules", "scsi",     "schedstat", "latency_stats"};
  for (unsigned i = 0; i < sizeof hidden / sizeof *hidden; ++i) {
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/tmp/proc/%s", hidden[i]);
    if (stat(path, &status) != 0 || (status.st_mode & 6) == 0) continue;
    bind_mount(S_ISDIR(status.st_mode) ? "/tmp/.none" : "/tmp/dev/null", path,
               k_rdonly | k_nosuid | k_noexec);
  }
}

static int child(void* unused) {
  (void)unused;
  char* argv[] = {program, NULL};
  char* envp[] = {NULL};
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  make_root();
  make_proc();
  MUST(chdir("/tmp"));
  MUST(syscall(SYS_pivot_root, ".", "."));
  MUST(umount2(".", MNT_DETACH));
  struct attributes change = {k_rdonly, 0, 0, 0};
  MUST(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &change, sizeof change));
  MUST(chdir("/work"));
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  MUST(ioctl(fd, SIOCSIFFLAGS, &request));
  for (int i = 0; i < 3; ++i) MUST(write(tasks[i], "0", 1));
  give_up_privileges();
  restrict_files();
  struct sock_fprog code = {sizeof filter / sizeof *filter, filter};
  MUST(syscall(SYS_seccomp, 1, 0, &code));
  MUST(syscall(SYS_close_range, 3, ~0U, 0));
  execve(argv[0], argv, envp);
  perror("execve");
  _exit(1);
}

int main(int argc, char** argv) {
  static char stack[1 << 16] __attribute__((aligned(16)));
  if (argc != 2 && argc != 3) return 2;
  work = argv[1];
  if (argc == 3) program = argv[2];
  make_groups();
  pid_t pid = clone(child, stack + sizeof stack,
                    CLONE_VM | CLONE_VFORK | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD,
                    NULL);
  MUST(pid);
  int status;
  MUST(waitpid(pid, &status, 0));
  for (int i = 0; i < 3; ++i)
    for (int tries = 0; rmdir(group[i]) != 0 && errno == EBUSY && tries < 10000; ++tries)
      sched_yield();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
