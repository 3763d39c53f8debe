/* SPDX-License-Identifier: Apache-2.0
 * What a process may do to itself to get rid of what holds it. */
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "attack.h"

/* A line of /proc/PID/status has a value other than that. */
static enum state line_differs(const char* pid, const char* key, const char* expected) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%s/status", pid);
  long size = slurp(path, text, sizeof text - 1);
  if (size < 0) return blocked(path);
  text[size] = 0;
  char* line = strstr(text, key);
  if (!line) return unavailable("no such line");
  char *value = line + strlen(key), *end = strchr(value, '\n');
  if (end) *end = 0;
  while (*value == ' ' || *value == '\t') ++value;
  if (strcmp(value, expected) != 0) return through("%s%s of process %s", key, value, pid);
  snprintf(detail, sizeof detail, "%s%s", key, value);
  return BLOCKED;
}

static enum state status_line(long which) {
  static const char* const keys[] = {"\nCapEff:", "\nCapPrm:",     "\nCapInh:", "\nCapBnd:",
                                     "\nCapAmb:", "\nNoNewPrivs:", "\nSeccomp:"};
  static const char* const values[] = {"0000000000000000",
                                       "0000000000000000",
                                       "0000000000000000",
                                       "0000000000000000",
                                       "0000000000000000",
                                       "1",
                                       "2"};
  enum state own = line_differs("self", keys[which % 7], values[which % 7]);
  if (own == SUCCEEDED || which % 7 == 6) return own; /* process 1 filters its tasks, not itself */
  return line_differs("1", keys[which % 7], values[which % 7]);
}

static enum state raise_capabilities(long unused) {
  (void)unused;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN, 0},
                                           {0, 0, 0}};
  return expect_failure(syscall(SYS_capset, &header, data), "capset");
}

static enum state raise_ambient(long unused) {
  (void)unused;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  syscall(SYS_capget, &header, data);
  data[0].inheritable = data[0].permitted | 1u << CAP_NET_RAW;
  syscall(SYS_capset, &header, data);
  return expect_failure(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0),
                        "PR_CAP_AMBIENT_RAISE");
}

static enum state become_root(long group) {
  return expect_failure(group ? setgid(0) : setuid(0), group ? "setgid(0)" : "setuid(0)");
}
static enum state leave_groups(long unused) {
  (void)unused;
  gid_t groups[] = {0, 4, 6};
  return expect_failure(setgroups(3, groups), "setgroups");
}

/* A filter that allows everything, on top: the stricter one must still win. */
static enum state lift_filter(long call) {
  struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  struct sock_fprog program = {1, &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) return blocked("seccomp");
  return expect_failure(syscall(call, 0x10000000), "unshare"); /* CLONE_NEWUSER */
}

static enum state fewer_threads_filtered(long unused) {
  (void)unused;
  return line_differs("thread-self", "\nSeccomp:", "2");
}

static enum state raise_limit(long which) {
  /* Outside the hard limits are what they are: one more than the hard limit needs a capability. */
  struct rlimit limit;
  getrlimit((int)which, &limit);
  if (limit.rlim_max == RLIM_INFINITY) return through("no hard limit");
  limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
  if (which == RLIMIT_NOFILE) limit.rlim_cur = limit.rlim_max = 1 << 19;
  return expect_failure(setrlimit((int)which, &limit), "setrlimit");
}

static enum state core_allowed(long unused) {
  (void)unused;
  struct rlimit limit;
  getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_max == 0) return snprintf(detail, sizeof detail, "hard limit 0"), BLOCKED;
  return through("core files up to %lld bytes", (long long)limit.rlim_max);
}

#define LINE(name, index) \
  { name, "a capability or a filter that is missing", status_line, index, 0, 0 }
static const struct probe table[] = {
    LINE("kern-cap-effective", 0),
    LINE("kern-cap-permitted", 1),
    LINE("kern-cap-bounding", 3),
    LINE("kern-no-new-privs", 5),
    LINE("kern-seccomp", 6),
    {"kern-capset", "raises a capability", raise_capabilities, 0, 0, 0},
    {"kern-cap-ambient", "raises an ambient capability", raise_ambient, 0, 0, 0},
    {"kern-setuid-0", "setuid(0)", become_root, 0, 0, 0},
    {"kern-setgid-0", "setgid(0)", become_root, 1, 0, 0},
    {"kern-setgroups", "setgroups", leave_groups, 0, 0, 0},
    {"kern-seccomp-lift", "a filter that allows, above the one that does not", lift_filter,
     SYS_unshare, 0, 0},
    {"kern-thread-filter", "a thread without filter", fewer_threads_filtered, 0, 0, 0},
    {"kern-rlimit-nofile", "raises its limit of descriptors", raise_limit, RLIMIT_NOFILE, 0, 0},
    {"kern-rlimit-core", "raises its limit of core files", core_allowed, 0, 0, 0},
    {"kern-rlimit-fsize", "raises its limit of file sizes", raise_limit, RLIMIT_FSIZE, 0, 0},
};
PROBES(kern_self, table);
