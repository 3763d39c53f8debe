/* SPDX-License-Identifier: Apache-2.0
 * Changing what belongs to the host. canary("files", "") is where the sandbox shows nothing,
 * canary("usr", "") is in /usr/local, which it shows read-only; both may be written by everybody.
 */
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "attack.h"

static enum state make_in(long which) {
  static const char* const places[] = {
      "/etc", "/usr", "/", "/root", "/var/tmp", "/usr/local/lib/attack", "/home"};
  char path[512];
  snprintf(path, sizeof path, "%s/%s", !strcmp(places[which], "/") ? "" : places[which],
           current->name);
  return write_to(AT_FDCWD, path);
}

static enum state make_directory(long unused) {
  (void)unused;
  char path[128];
  snprintf(path, sizeof path, "/%s", current->name);
  return expect_failure(mkdir(path, 0755), "mkdir");
}

static enum state make_outside(long unused) {
  (void)unused;
  return write_to(AT_FDCWD, canary("files", ".made"));
}

static enum state change(long how) {
  const char* path = canary("usr", "");
  switch (how) {
    case 0:
      return write_to(AT_FDCWD, path);
    case 1:
      return expect_failure(truncate(path, 1), "truncate");
    case 2:
      return expect_failure(chmod(path, 0600), "chmod");
    case 3:
      return expect_failure(utimensat(AT_FDCWD, path, NULL, 0), "utimensat");
    case 4:
      return expect_failure(setxattr(path, "user.attack", "x", 1, 0), "setxattr");
    case 5:
      return expect_failure(unlink(path), "unlink");
    case 6:
      return expect_failure(rename(path, canary("usr", ".moved")), "rename");
    case 7:
      return expect_failure(link(path, canary("usr", ".linked")), "link");
    case 8:
      return write_to(AT_FDCWD, canary("files", ""));
    case 9:
      return expect_failure(chown(path, 12345, 12345), "chown");
    case 10:
      return expect_failure(open(path, O_RDONLY | O_TRUNC | O_CLOEXEC), "open with O_TRUNC");
    case 11:
      return expect_failure(mkdir(canary("usr", ".d"), 0755), "mkdir");
    case 12:
      return expect_failure(symlink("/etc", canary("usr", ".l")), "symlink");
    default:
      return expect_failure(mknod(canary("usr", ".f"), S_IFIFO | 0666, 0), "mkfifo");
  }
}

static enum state exchange(long unused) {
  (void)unused;
  close(open("mine", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (syscall(SYS_renameat2, AT_FDCWD, "mine", AT_FDCWD, canary("files", ""), 2) == 0)
    return through("exchanged");
  return expect_failure(syscall(SYS_renameat2, AT_FDCWD, "mine", AT_FDCWD, canary("usr", ""), 2),
                        "renameat2");
}

static enum state rename_over(long unused) {
  (void)unused;
  close(open("mine", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (rename("mine", canary("files", "")) == 0) return through("rename");
  return blocked("rename");
}

static enum state through_directory_link(long unused) {
  (void)unused;
  unlink("elsewhere");
  if (symlink("/etc", "elsewhere") < 0) return blocked("symlink");
  char path[128];
  snprintf(path, sizeof path, "elsewhere/%s", current->name);
  enum state state = write_to(AT_FDCWD, path);
  unlink("elsewhere");
  return state;
}

static enum state through_process_root(long unused) {
  (void)unused;
  char path[600];
  snprintf(path, sizeof path, "/proc/1/root%s", canary("files", ""));
  return write_to(AT_FDCWD, path);
}

/* An open descriptor, opened again with more rights. */
static enum state reopen(long unused) {
  (void)unused;
  int fd = open(canary("usr", ""), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return blocked("open");
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return write_to(AT_FDCWD, path);
}

/* Writing through the page cache of a file that is open read-only. */
static enum state dirty_pipe(long unused) {
  (void)unused;
  int fd = open(canary("usr", ""), O_RDONLY | O_CLOEXEC), ends[2];
  if (fd < 0 || pipe(ends) < 0) return blocked("open");
  char bytes[4096] = {0};
  for (int i = 0; i < 16; ++i)
    if (write(ends[1], bytes, sizeof bytes) < 0) return blocked("write");
  for (int i = 0; i < 16; ++i)
    if (read(ends[0], bytes, sizeof bytes) < 0) return blocked("read");
  loff_t at = 0;
  if (splice(fd, &at, ends[1], NULL, 1, 0) < 0) return blocked("splice");
  if (write(ends[1], "attacked", 8) < 0) return blocked("write");
  return tried();
}

/* A mapping that may be written, and a write to a private one through /proc/self/mem. */
static enum state map_shared(long unused) {
  (void)unused;
  int fd = open(canary("usr", ""), O_RDWR | O_CLOEXEC);
  if (fd < 0) return blocked("open");
  char* at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return blocked("mmap");
  *at = 'X';
  return through("written through a mapping");
}

static enum state own_memory_file(long unused) {
  (void)unused;
  int fd = open(canary("files", ""), O_RDWR | O_CLOEXEC),
      own = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  if (fd < 0) fd = open(canary("usr", ""), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return blocked("open");
  char* at = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return blocked("mmap");
  if (pwrite(own, "X", 1, (off_t)(uintptr_t)at) != 1) return blocked("write to /proc/self/mem");
  return tried();
}

static enum state make_node(long which) {
  unlink("node");
  mode_t kind = which == 0 ? S_IFBLK : S_IFCHR;
  dev_t device = which == 0 ? makedev(254, 0) : which == 1 ? makedev(1, 1) : makedev(1, 11);
  long result = mknod("node", kind | 0666, device);
  unlink("node");
  return expect_failure(result, "mknod");
}

/* A set-user-id program of the host, and one of our own. */
static int run_own_suid(void) {
  unlink("suid");
  char self[4096];
  int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
      to = open("suid", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
  for (ssize_t got; (got = read(from, self, sizeof self)) > 0;)
    if (write(to, self, (size_t)got) != got) return 1;
  close(to);
  return chmod("suid", 06755) < 0;
}
static enum state own_suid(long unused) {
  (void)unused;
  if (run_child(run_own_suid) != 0) return blocked("chmod u+s");
  struct stat status;
  if (stat("suid", &status) < 0) return blocked("stat");
  /* What counts is the file on the host: owned by whom, and with which bits. */
  return status.st_uid == 0 && (status.st_mode & S_ISUID)
             ? through("a set-user-id program of root")
             : (snprintf(detail, sizeof detail, "owned by %u", status.st_uid), BLOCKED);
}

/* /usr/local/lib/attack/suid is this program, set-user-id root; it exits with 42 as root. */
static int run_host_suid(void) {
  execl("/usr/local/lib/attack/suid", "attack", "am-i-root", NULL);
  return 1;
}
static enum state host_suid(long unused) {
  (void)unused;
  int status = run_child(run_host_suid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 42) return through("was root");
  snprintf(detail, sizeof detail, "exit %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return BLOCKED;
}

static enum state project_id(long old) {
  char attributes[28] = {0};
  int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (old) {
    if (syscall(SYS_ioctl, fd, 0x801c581f, attributes) < 0)
      return unavailable("no project ids on this file system");
    ((uint32_t*)(void*)attributes)[3] = 77; /* fsx_projid */
    long result = syscall(SYS_ioctl, fd, 0x401c5820, attributes);
    if (result >= 0) {
      ((uint32_t*)(void*)attributes)[3] = 0;
      syscall(SYS_ioctl, fd, 0x401c5820, attributes);
    }
    return expect_failure(result, "FS_IOC_FSSETXATTR");
  }
  long result = syscall(469, fd, "", attributes, 24, AT_EMPTY_PATH); /* file_setattr, Linux 6.17 */
  return expect_refusal(result, "file_setattr");
}

static enum state immutable(long unused) {
  (void)unused;
  int fd = open("immutable", O_RDONLY | O_CREAT | O_CLOEXEC, 0644), flags = 0x10;
  long result = syscall(SYS_ioctl, fd, 0x40086602, &flags);
  flags = 0;
  if (result >= 0) syscall(SYS_ioctl, fd, 0x40086602, &flags);
  return expect_failure(result, "FS_IOC_SETFLAGS");
}

static const struct probe table[] = {
    {"fs-write-etc", "makes a file in /etc", make_in, 0, LAYERED, 0},
    {"fs-write-usr", "makes a file in /usr", make_in, 1, LAYERED, 0},
    {"fs-write-root", "makes a file in /", make_in, 2, 0, 0},
    {"fs-write-root-home", "makes a file in /root", make_in, 3, LAYERED, 0},
    {"fs-write-var", "makes a file in /var/tmp", make_in, 4, LAYERED, 0},
    {"fs-write-usr-open", "makes a file in a directory of /usr that everybody may write", make_in,
     5, LAYERED, 0},
    {"fs-write-homes", "makes a file in /home", make_in, 6, LAYERED, 0},
    {"fs-mkdir-root", "makes a directory in /", make_directory, 0, 0, 0},
    {"fs-write-outside", "makes a file in a directory that is not shown", make_outside, 0, 0, 0},
    {"fs-append-existing", "writes to a file of /usr", change, 0, LAYERED, 0},
    {"fs-truncate", "truncate of a file of /usr", change, 1, LAYERED, 0},
    {"fs-chmod", "chmod", change, 2, 0, 0},
    {"fs-utimes", "utimensat", change, 3, LAYERED, 0},
    {"fs-setxattr", "setxattr", change, 4, LAYERED, 0},
    {"fs-unlink", "unlink", change, 5, LAYERED, 0},
    {"fs-rename", "rename in the same directory", change, 6, LAYERED, 0},
    {"fs-hardlink-ro", "link in the same directory", change, 7, LAYERED, 0},
    {"fs-write-hidden", "writes to a file that is not shown", change, 8, 0, 0},
    {"fs-chown", "chown", change, 9, 0, 0},
    {"fs-open-trunc", "opens read-only with O_TRUNC", change, 10, LAYERED, 0},
    {"fs-mkdir-usr", "mkdir in /usr", change, 11, LAYERED, 0},
    {"fs-symlink-usr", "symlink in /usr", change, 12, LAYERED, 0},
    {"fs-mkfifo-usr", "mkfifo in /usr", change, 13, LAYERED, 0},
    {"fs-rename-exchange", "exchanges a file of its own with one of /usr", exchange, 0, 0, 0},
    {"fs-rename-over", "renames a file of its own over one outside", rename_over, 0, 0, 0},
    {"fs-symlinked-dir-write", "writes through a link to /etc", through_directory_link, 0, LAYERED, 0},
    {"fs-write-proc-root", "writes through /proc/1/root", through_process_root, 0, 0, 0},
    {"fs-reopen-fd", "opens /proc/self/fd/N of a read-only descriptor for writing", reopen, 0,
     LAYERED, 0},
    {"fs-map-shared", "writes through a shared mapping", map_shared, 0, LAYERED, 0},
    {"fs-proc-mem-self", "writes to a mapped file through /proc/self/mem", own_memory_file, 0, 0,
     0},
    {"fs-dirty-pipe", "splices into the page cache of a read-only file", dirty_pipe, 0, 0, 0},
    {"fs-mknod-block", "makes a block device", make_node, 0, 0, 0},
    {"fs-mknod-mem", "makes /dev/mem", make_node, 1, 0, 0},
    {"fs-mknod-kmsg", "makes /dev/kmsg", make_node, 2, 0, 0},
    {"fs-own-suid", "makes a set-user-id program that is root's outside", own_suid, 0, 0, 0},
    {"fs-suid-exec", "runs a set-user-id program of the host", host_suid, 0, 0, 0},
    {"fs-project-id", "leaves its project quota by ioctl", project_id, 1, 0, 0},
    {"fs-project-id-new", "leaves its project quota by file_setattr", project_id, 0, 0, 0},
    {"fs-immutable", "makes a file that its owner cannot remove", immutable, 0, 0, 0},
};
PROBES(fs_write, table);
