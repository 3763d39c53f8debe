/* SPDX-License-Identifier: Apache-2.0
 * /proc, /sys and control groups. */
#include <dirent.h>
#include <limits.h>

#include "attack.h"

static const char* const settings[] = {"/proc/sys/kernel/core_pattern",
                                       "/proc/sysrq-trigger",
                                       "/proc/sys/kernel/modprobe",
                                       "/proc/sys/kernel/hotplug",
                                       "/proc/sys/vm/overcommit_memory",
                                       "/proc/sys/kernel/ns_last_pid",
                                       "/proc/sys/fs/binfmt_misc/register",
                                       "/proc/sys/net/ipv4/ip_forward",
                                       "/proc/sys/kernel/randomize_va_space",
                                       "/proc/sys/vm/drop_caches",
                                       "/proc/irq/default_smp_affinity",
                                       "/proc/self/oom_score_adj",
                                       "/proc/mtrr",
                                       "/sys/power/state",
                                       "/sys/kernel/uevent_helper",
                                       "/sys/kernel/mm/transparent_hugepage/enabled",
                                       "/proc/sys/user/max_user_namespaces"};

static enum state write_setting(long which) { return open_for_writing(settings[which]); }

/* Below 0 a process is spared when memory is short. */
static enum state lower_oom_score(long unused) {
  (void)unused;
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  return expect_failure(fd < 0 ? -1 : write(fd, "-500", 4), "oom_score_adj");
}

static enum state walk(const char* directory, int depth, int* left) {
  DIR* list = opendir(directory);
  if (!list) return BLOCKED;
  enum state state = BLOCKED;
  for (struct dirent* entry; state == BLOCKED && *left > 0 && (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    --*left;
    if (entry->d_type == DT_DIR && depth > 0) state = walk(path, depth - 1, left);
    /* The limits of its own namespaces are its own affair, where it has one. */
    if (entry->d_type == DT_REG) state = open_for_writing(path);
  }
  closedir(list);
  return state;
}
static enum state write_any_setting(long sys) {
  int left = 20000;
  enum state state = walk(sys ? "/sys" : "/proc/sys", 6, &left);
  if (state == BLOCKED) snprintf(detail, sizeof detail, "none of %d can be written", 20000 - left);
  return state;
}

static const char* const leaks[] = {"/proc/kcore",
                                    "/proc/kmsg",
                                    "/proc/keys",
                                    "/proc/timer_list",
                                    "/proc/sched_debug",
                                    "/proc/iomem",
                                    "/proc/kallsyms",
                                    "/proc/vmallocinfo",
                                    "/proc/slabinfo",
                                    "/proc/kpagecount",
                                    "/proc/key-users",
                                    "/proc/modules",
                                    "/proc/1/environ",
                                    "/sys/kernel/debug/sched/debug",
                                    "/sys/kernel/tracing/trace",
                                    "/proc/config.gz",
                                    "/sys/kernel/security/lsm",
                                    "/sys/firmware/dmi/tables/DMI",
                                    "/proc/bus/pci/devices",
                                    "/proc/acpi/wakeup",
                                    "/proc/scsi/scsi",
                                    "/proc/locks",
                                    "/proc/swaps",
                                    "/proc/diskstats",
                                    "/proc/partitions",
                                    "/proc/interrupts",
                                    "/proc/cmdline"};
static enum state read_leak(long which) {
  char text[4096];
  long size = slurp(leaks[which], text, sizeof text);
  if (size < 0) return blocked(leaks[which]);
  /* What the kernel shows as zeros to those that may not see it. */
  bool digits = false;
  for (long i = 0; i < size && !digits; ++i)
    digits = (text[i] >= '1' && text[i] <= '9') || (which != 5 && which != 6 && text[i] > ' ');
  if (which == 5 || which == 6) { /* addresses: only the first column counts */
    digits = false;
    for (long i = 0; i < size && text[i] != ' ' && text[i] != '-'; ++i) digits |= text[i] != '0';
  }
  if (size == 0 || !digits) {
    snprintf(detail, sizeof detail, "%s: nothing", leaks[which]);
    return BLOCKED;
  }
  return through("%s: %ld bytes", leaks[which], size);
}

/* --- control groups: wherever one is visible */

static enum state for_each_group(const char* directory, int depth, const char* file,
                                 const char* text) {
  DIR* list = opendir(directory);
  if (!list) return blocked(directory);
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", directory, file);
  enum state state = BLOCKED;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    /* An open for writing is enough; what is written is what is there, or nothing. */
    state = !text || write(fd, text, strlen(text)) > 0 ? through("%s", path) : blocked(path);
    close(fd);
  } else if (!*detail) {
    blocked(path);
  }
  for (struct dirent* entry; depth > 0 && state == BLOCKED && (entry = readdir(list)) != NULL;) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    state = for_each_group(path, depth - 1, file, text);
  }
  closedir(list);
  return state;
}

static enum state write_group(long which) {
  static const char* const files[] = {"release_agent", "notify_on_release",     "cgroup.procs",
                                      "tasks",         "memory.limit_in_bytes", "memory.max",
                                      "pids.max",      "cpu.cfs_quota_us",      "cgroup.kill",
                                      "devices.allow", "cgroup.freeze",         "freezer.state"};
  return for_each_group("/sys/fs/cgroup", 3, files[which], NULL);
}

static enum state make_group(long unused) {
  (void)unused;
  static const char* const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/memory",
                                       "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"};
  for (int i = 0; i < 4; ++i) {
    char path[128];
    snprintf(path, sizeof path, "%s/attacked", places[i]);
    if (mkdir(path, 0755) == 0) {
      rmdir(path);
      return through("made %s", path);
    }
  }
  return blocked("mkdir");
}

static enum state see_groups(long unused) {
  (void)unused;
  DIR* list = opendir("/sys/fs/cgroup");
  if (!list) return blocked("/sys/fs/cgroup");
  int count = 0;
  while (readdir(list)) ++count;
  closedir(list);
  return count > 2 ? through("%d groups of the host", count - 2) : blocked("empty");
}

#define SETTING(name, index) \
  { name, "opens for writing", write_setting, index, 0, 0 }
#define LEAK(name, index, what) \
  { name, what, read_leak, index, 0, 0 }
#define GROUP(name, index) \
  { name, "writes to a control group", write_group, index, 0, 0 }
static const struct probe table[] = {
    SETTING("kern-core-pattern", 0),
    SETTING("kern-sysrq", 1),
    SETTING("kern-modprobe-path", 2),
    SETTING("kern-hotplug", 3),
    SETTING("kern-overcommit", 4),
    SETTING("kern-last-pid", 5),
    SETTING("kern-binfmt", 6),
    SETTING("kern-ip-forward", 7),
    SETTING("kern-aslr", 8),
    SETTING("kern-drop-caches", 9),
    SETTING("kern-irq", 10),
    SETTING("kern-mtrr", 12),
    SETTING("kern-power", 13),
    SETTING("kern-uevent-helper", 14),
    SETTING("kern-hugepage", 15),
    SETTING("kern-max-userns", 16),
    {"kern-oom-score", "makes itself the last that is killed", lower_oom_score, 0, 0, 0},
    {"kern-proc-sys", "every file of /proc/sys", write_any_setting, 0, 0, 0},
    {"kern-sys-writes", "every file of /sys", write_any_setting, 1, 0, 0},
    LEAK("kern-kcore", 0, "reads memory of the kernel"),
    LEAK("kern-kmsg", 1, "reads the log of the kernel"),
    LEAK("kern-proc-keys", 2, "reads the list of keys"),
    LEAK("kern-timer-list", 3, "reads timers of the host"),
    LEAK("kern-sched-debug", 4, "reads processes of the host"),
    LEAK("kern-iomem", 5, "reads physical addresses"),
    LEAK("kern-kallsyms", 6, "reads addresses of the kernel"),
    LEAK("kern-vmallocinfo", 7, "reads addresses of the kernel"),
    LEAK("kern-slabinfo", 8, "reads the caches of the kernel"),
    LEAK("kern-kpagecount", 9, "reads the counts of pages"),
    LEAK("kern-key-users", 10, "reads who has keys"),
    LEAK("kern-debugfs", 13, "reads debugfs"),
    LEAK("kern-tracefs", 14, "reads the trace"),
    LEAK("kern-securityfs", 16, "reads securityfs"),
    LEAK("kern-dmi", 17, "reads tables of the firmware"),
    LEAK("kern-pci", 18, "reads devices of the host"),
    LEAK("kern-acpi", 19, "reads acpi"),
    LEAK("kern-scsi", 20, "reads disks of the host"),
    GROUP("kern-release-agent", 0),
    GROUP("kern-notify-release", 1),
    GROUP("kern-cgroup-procs", 2),
    GROUP("kern-cgroup-tasks", 3),
    GROUP("kern-cgroup-memory-v1", 4),
    GROUP("kern-cgroup-memory-v2", 5),
    GROUP("kern-cgroup-pids", 6),
    GROUP("kern-cgroup-cpu", 7),
    GROUP("kern-cgroup-kill", 8),
    GROUP("kern-cgroup-devices", 9),
    GROUP("kern-cgroup-freeze", 10),
    {"kern-cgroup-make", "makes a control group", make_group, 0, 0, 0},
    {"kern-cgroup-see", "lists control groups of the host", see_groups, 0, 0, 0},
};
PROBES(kern_files, table);
