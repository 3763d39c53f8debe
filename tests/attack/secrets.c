/* SPDX-License-Identifier: Apache-2.0
 * The secret is in the environment of whoever starts the sandbox (HOST_TOKEN) and behind its
 * descriptor 9. None of it may arrive. */
#include <elf.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "attack.h"

static enum state environment(long unused) {
  (void)unused;
  const char* value = getenv("HOST_TOKEN");
  if (value && has_token(value, strlen(value))) return through("HOST_TOKEN is set");
  snprintf(detail, sizeof detail, "HOST_TOKEN is not set");
  return BLOCKED;
}

static enum state parent_environment(long unused) {
  (void)unused;
  char path[64];
  static char text[1 << 17];
  snprintf(path, sizeof path, "/proc/%d/environ", getppid());
  long size = slurp(path, text, sizeof text);
  if (size < 0) return blocked(path);
  if (has_token(text, (size_t)size)) return through("%s", path);
  snprintf(detail, sizeof detail, "not in it");
  return BLOCKED;
}

static enum state inherited(long unused) {
  (void)unused;
  char bytes[256];
  if (fcntl(9, F_GETFD) < 0) return blocked("descriptor 9");
  lseek(9, 0, SEEK_SET);
  ssize_t got = read(9, bytes, sizeof bytes);
  return got > 0 && has_token(bytes, (size_t)got) ? through("read it from descriptor 9")
                                                  : through("descriptor 9 is open");
}

static enum state inherited_socket(long unused) {
  (void)unused;
  if (write(8, current->name, strlen(current->name)) < 0) return blocked("descriptor 8");
  return through("written to a socket of the outside");
}

static enum state any_descriptor(long unused) {
  (void)unused;
  for (int fd = 3; fd < 400; ++fd)
    if (fcntl(fd, F_GETFD) >= 0) return through("descriptor %d is open", fd);
  snprintf(detail, sizeof detail, "none above 2");
  return BLOCKED;
}

/* Of what stands behind standard input and output: their other ends may be files of the host. */
static enum state standard_descriptors(long unused) {
  (void)unused;
  for (int fd = 0; fd < 3; ++fd) {
    char path[64], target[300];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size < 0) return blocked(path);
    target[size] = 0;
    if (*target == '/' && strncmp(target, "/dev/null", 9) != 0)
      return through("%s is %s", path, target);
  }
  snprintf(detail, sizeof detail, "pipes");
  return BLOCKED;
}

static int dump(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_CORE, &limit);
  signal(SIGABRT, SIG_DFL);
  abort();
}
static enum state core_file(long unused) {
  (void)unused;
  int status = run_child(dump);
  return WCOREDUMP(status) ? through("a core file was written")
                           : (snprintf(detail, sizeof detail, "no core file"), BLOCKED);
}

static enum state auxiliary(long unused) {
  (void)unused;
  const char* name = (const char*)getauxval(AT_EXECFN);
  char text[4096];
  long size = slurp("/proc/1/cmdline", text, sizeof text - 1);
  if (size > 0) {
    text[size] = 0;
    for (long i = 0; i < size; ++i)
      if (!text[i]) text[i] = ' ';
    if (strstr(text, given("out")) || strstr(text, "scripts/lab.sh") ||
        strstr(text, "attack/lab.sh"))
      return through("arguments of process 1: %.100s", text);
  }
  if (name && strncmp(name, "/work", 5) != 0 && strstr(name, "/.fabric/"))
    return through("AT_EXECFN %s", name);
  if (name && strncmp(name, "/tmp", 4) == 0) return through("AT_EXECFN %s", name);
  snprintf(detail, sizeof detail, "nothing of the host");
  return BLOCKED;
}

static enum state host_name(long unused) {
  (void)unused;
  char name[128] = "";
  gethostname(name, sizeof name - 1);
  return strcmp(name, given("host_name")) == 0
             ? through("%s", name)
             : (snprintf(detail, sizeof detail, "%s", name), BLOCKED);
}

static enum state identity(long which) {
  static const char* const files[] = {
      "/etc/machine-id", "/proc/sys/kernel/random/boot_id", "/etc/hostname", "/etc/resolv.conf",
      "/etc/sudoers",    "/etc/ssh/ssh_host_ed25519_key",   "/etc/passwd",   "/var/log/attacked"};
  if (which == 6) { /* the users of the host */
    static char text[65536];
    long size = slurp(files[which], text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    return strstr(text, "\nattacked:")
               ? through("users of the host")
               : (snprintf(detail, sizeof detail, "users of its own"), BLOCKED);
  }
  return read_any(files[which]);
}

static enum state host_ids(long unused) {
  (void)unused;
  char text[256] = "";
  slurp("/proc/self/uid_map", text, sizeof text - 1);
  unsigned inside = 0, outside = 0, size = 0;
  sscanf(text, "%u %u %u", &inside, &outside, &size);
  const unsigned id = geteuid() - inside;
  if (id < size && outside + id == 0) return through("is uid 0 of the host");
  snprintf(detail, sizeof detail, "uid %u", geteuid());
  return BLOCKED;
}

static const struct probe table[] = {
    {"secret-env-unlisted", "a variable that no list names", environment, 0, 0, 0},
    {"secret-env-parent", "the environment of its parent", parent_environment, 0, 0, 0},
    {"secret-fd-inherited", "descriptor 9 of whoever started it", inherited, 0, 0, 0},
    {"secret-socket-inherited", "a connected socket of whoever started it", inherited_socket, 0, 0,
     0},
    {"secret-fd-any", "any descriptor", any_descriptor, 0, 0, 0},
    {"secret-stdio-files", "standard output is a file of the host", standard_descriptors, 0, 0, 0},
    {"secret-core", "a core file", core_file, 0, 0, 0},
    {"secret-auxv", "paths of the host in arguments", auxiliary, 0, 0, 0},
    {"secret-host-name", "the name of the host", host_name, 0, 0, 0},
    {"secret-machine-id", "/etc/machine-id", identity, 0, 0, 0},
    {"secret-hostname-file", "/etc/hostname", identity, 2, 0, 0},
    {"secret-resolv-conf", "the name servers of the host", identity, 3, 0, 0},
    {"secret-users", "the users of the host", identity, 6, 0, 0},
    {"secret-logs", "/var/log", identity, 7, 0, 0},
    {"secret-host-ids", "runs as uid 0 of the host", host_ids, 0, 0, 0},
};
PROBES(secrets, table);
