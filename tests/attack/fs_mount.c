/* SPDX-License-Identifier: Apache-2.0
 * Mounts, roots and devices. */
#include <dirent.h>
#include <limits.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "attack.h"

static enum state mount_old(long which) {
  mkdir("m", 0755);
  switch (which) {
    case 0:
      return expect_failure(mount("tmpfs", "m", "tmpfs", 0, NULL), "mount of tmpfs");
    case 1:
      return expect_failure(mount("proc", "m", "proc", 0, NULL), "mount of proc");
    case 2:
      return expect_failure(mount("/", "m", NULL, 4096 | 16384, NULL), "bind mount");
    case 3:
      return expect_failure(mount(NULL, "/usr", NULL, 4096 | 32, NULL), "remount");
    case 4:
      return expect_failure(mount(NULL, "/", NULL, 1 << 20, NULL), "shared propagation");
    case 5:
      return expect_failure(mount("sysfs", "m", "sysfs", 0, NULL), "mount of sysfs");
    case 6:
      return expect_failure(mount("cgroup2", "m", "cgroup2", 0, NULL), "mount of cgroup2");
    case 7:
      return expect_failure(mount("o", "m", "overlay", 0, "lowerdir=/usr:/etc"),
                            "mount of overlay");
    case 8:
      return expect_failure(umount2("/proc", MNT_DETACH), "umount2");
    case 9:
      return expect_failure(umount2("/proc/sys", MNT_DETACH), "umount2 of a cover");
    default:
      return expect_failure(mount("devpts", "m", "devpts", 0, "newinstance"), "mount of devpts");
  }
}

static enum state mount_new(long which) {
  struct mount_attr change = {.attr_clr = MOUNT_ATTR_RDONLY};
  static char buffer[4096];
  struct {
    uint32_t size, spare;
    uint64_t mount, parameter;
  } request = {24, 0, UINT64_MAX, 2};
  switch (which) {
    case 0:
      return expect_failure(syscall(SYS_fsopen, "tmpfs", 1), "fsopen");
    case 1:
      return expect_failure(syscall(SYS_open_tree, AT_FDCWD, "/usr", 1), "open_tree");
    case 2:
      return expect_refusal(syscall(SYS_move_mount, -1, "", AT_FDCWD, "/work", 4), "move_mount");
    case 3:
      return expect_refusal(syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, &change, sizeof change),
                            "mount_setattr");
    case 4:
      return expect_failure(syscall(SYS_fspick, AT_FDCWD, "/", 1), "fspick");
    case 5:
      return expect_refusal(syscall(SYS_fsconfig, -1, 6, NULL, NULL, 0), "fsconfig");
    case 6:
      return expect_refusal(syscall(SYS_fsmount, -1, 0, 0), "fsmount");
    case 7:
      return expect_refusal(syscall(457, &request, buffer, sizeof buffer, 0), "statmount");
    case 8:
      return expect_refusal(syscall(458, &request, buffer, 64, 0), "listmount");
    default:
      return expect_refusal(syscall(467, AT_FDCWD, "/usr", 1, &change, sizeof change),
                            "open_tree_attr");
  }
}

static enum state change_root(long pivot) {
  mkdir("m", 0755);
  if (pivot) return expect_refusal(syscall(SYS_pivot_root, "m", "m"), "pivot_root");
  return expect_failure(chroot("."), "chroot");
}

/* chroot into a directory below, while a directory above is held. */
static enum state chroot_escape(long unused) {
  (void)unused;
  mkdir("m", 0755);
  int held = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (chroot("m") < 0) return blocked("chroot");
  if (fchdir(held) < 0) return blocked("fchdir");
  return through("a root of its own");
}

static enum state open_device(long which) {
  static const char* const devices[] = {"/dev/vda",         "/dev/kmsg",
                                        "/dev/fuse",        "/dev/kvm",
                                        "/dev/net/tun",     "/dev/loop-control",
                                        "/dev/loop0",       "/dev/console",
                                        "/dev/tty0",        "/dev/btrfs-control",
                                        "/dev/hwrng",       "/dev/cpu_dma_latency",
                                        "/dev/vcs",         "/dev/autofs",
                                        "/dev/userfaultfd", "/dev/mem",
                                        "/dev/port",        "/dev/sda",
                                        "/dev/rtc0",        "/dev/vhost-net",
                                        "/dev/snapshot",    "/dev/mapper/control",
                                        "/dev/uinput",      "/dev/nvram"};
  int fd = open(devices[which], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) fd = open(devices[which], O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  return expect_failure(fd, devices[which]);
}

/* Any device that is not one of memory, of random numbers or a terminal of its own. */
static bool find_device(const char* directory, int depth) {
  DIR* list = opendir(directory);
  if (!list) return false;
  bool found = false;
  for (struct dirent* entry; !found && (entry = readdir(list)) != NULL;) {
    char path[PATH_MAX];
    struct stat status;
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    if (lstat(path, &status) < 0) continue;
    if (S_ISDIR(status.st_mode) && depth > 0) found = find_device(path, depth - 1);
    if (!S_ISBLK(status.st_mode) && !S_ISCHR(status.st_mode)) continue;
    const unsigned one = major(status.st_rdev), two = minor(status.st_rdev);
    const bool memory = one == 1 && (two == 3 || two == 5 || (two >= 7 && two <= 9));
    const bool terminal = one == 136 || (one == 5 && (two == 0 || two == 2));
    found = S_ISBLK(status.st_mode) || !(memory || terminal);
    if (found) through("%s is %u:%u", path, one, two);
  }
  closedir(list);
  return found;
}
static enum state other_devices(long unused) {
  (void)unused;
  if (find_device("/dev", 3)) return SUCCEEDED;
  snprintf(detail, sizeof detail, "no others");
  return BLOCKED;
}

static const struct probe table[] = {
    {"fs-mount-tmpfs", "mount", mount_old, 0, 0, 0},
    {"fs-mount-proc", "mounts another /proc", mount_old, 1, 0, 0},
    {"fs-mount-bind", "binds / into the work directory", mount_old, 2, 0, 0},
    {"fs-remount-rw", "remounts /usr for writing", mount_old, 3, 0, 0},
    {"fs-mount-shared", "makes its mounts shared", mount_old, 4, 0, 0},
    {"fs-mount-sysfs", "mounts sysfs", mount_old, 5, 0, 0},
    {"fs-mount-cgroup", "mounts cgroup2", mount_old, 6, 0, 0},
    {"fs-mount-overlay", "mounts an overlay", mount_old, 7, 0, 0},
    {"fs-umount", "umount2", mount_old, 8, 0, 0},
    {"fs-umount-cover", "takes the cover off /proc/sys", mount_old, 9, 0, 0},
    {"fs-mount-devpts", "mounts devpts", mount_old, 10, 0, 0},
    {"fs-fsopen", "fsopen", mount_new, 0, 0, 0},
    {"fs-open-tree", "open_tree, cloning", mount_new, 1, 0, 0},
    {"fs-move-mount", "move_mount", mount_new, 2, 0, 0},
    {"fs-mount-setattr", "mount_setattr, read-only taken away", mount_new, 3, 0, 0},
    {"fs-fspick", "fspick", mount_new, 4, 0, 0},
    {"fs-fsconfig", "fsconfig", mount_new, 5, 0, 0},
    {"fs-fsmount", "fsmount", mount_new, 6, 0, 0},
    {"fs-statmount", "statmount", mount_new, 7, 0, 0},
    {"fs-listmount", "listmount", mount_new, 8, 0, 0},
    {"fs-open-tree-attr", "open_tree_attr", mount_new, 9, 0, 0},
    {"fs-chroot", "chroot", change_root, 0, 0, 0},
    {"fs-pivot-root", "pivot_root", change_root, 1, 0, 0},
    {"fs-chroot-escape", "out of a chroot by a held directory", chroot_escape, 0, 0, 0},
    {"fs-dev-disk", "opens the disk", open_device, 0, 0, 0},
    {"fs-dev-kmsg", "opens /dev/kmsg", open_device, 1, 0, 0},
    {"fs-dev-fuse", "opens /dev/fuse", open_device, 2, 0, 0},
    {"fs-dev-kvm", "opens /dev/kvm", open_device, 3, 0, 0},
    {"fs-dev-tun", "opens /dev/net/tun", open_device, 4, 0, 0},
    {"fs-dev-loop-control", "opens /dev/loop-control", open_device, 5, 0, 0},
    {"fs-dev-loop", "opens a loop device", open_device, 6, 0, 0},
    {"fs-dev-console", "opens the console", open_device, 7, 0, 0},
    {"fs-dev-tty0", "opens a virtual terminal", open_device, 8, 0, 0},
    {"fs-dev-btrfs", "opens /dev/btrfs-control", open_device, 9, 0, 0},
    {"fs-dev-hwrng", "opens /dev/hwrng", open_device, 10, 0, 0},
    {"fs-dev-latency", "opens /dev/cpu_dma_latency", open_device, 11, 0, 0},
    {"fs-dev-vcs", "opens the memory of a virtual terminal", open_device, 12, 0, 0},
    {"fs-dev-autofs", "opens /dev/autofs", open_device, 13, 0, 0},
    {"fs-dev-userfaultfd", "opens /dev/userfaultfd", open_device, 14, 0, 0},
    {"fs-dev-mem", "opens /dev/mem", open_device, 15, 0, 0},
    {"fs-dev-port", "opens /dev/port", open_device, 16, 0, 0},
    {"fs-dev-sda", "opens /dev/sda", open_device, 17, 0, 0},
    {"fs-dev-rtc", "opens /dev/rtc0", open_device, 18, 0, 0},
    {"fs-dev-vhost", "opens /dev/vhost-net", open_device, 19, 0, 0},
    {"fs-dev-snapshot", "opens /dev/snapshot", open_device, 20, 0, 0},
    {"fs-dev-mapper", "opens /dev/mapper/control", open_device, 21, 0, 0},
    {"fs-dev-uinput", "opens /dev/uinput", open_device, 22, 0, 0},
    {"fs-dev-nvram", "opens /dev/nvram", open_device, 23, 0, 0},
    {"fs-dev-others", "any device but null, zero, full, random, urandom, tty and terminals",
     other_devices, 0, 0, 0},
};
PROBES(fs_mount, table);
