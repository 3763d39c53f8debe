/* SPDX-License-Identifier: Apache-2.0
 * Files that probes try to change, one a probe and named after it, so that what has changed says
 * which probe did it. They may be written by everybody: what keeps a probe off must be the sandbox.
 */
#include <dirent.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/xattr.h>

#include "attack.h"

/* Where canaries are: in a place that the sandbox does not show, and in one that it does. */
static const char* const places[] = {"out/files", "usr"};
/* Where nothing named after a probe may appear. */
static const char* const clean[] = {
    "/etc", "/usr", "/", "/root", "/home", "/var/tmp", "/usr/local/lib/attack"};

static const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};

static const char* path_of(const char* directory, const char* place, const char* name) {
  static char path[512];
  if (!strcmp(place, "usr")) directory = "/usr/local/lib/attack", place = "files";
  snprintf(path, sizeof path, "%s/%s/%s", directory, place, name);
  return path;
}

static const char* original(const char* name) {
  static char text[128];
  snprintf(text, sizeof text, "canary of %s\n", name);
  return text;
}

int prepare_canaries(const char* directory) {
  umask(0);
  for (size_t p = 0; p < sizeof places / sizeof *places; ++p) {
    mkdir(path_of(directory, places[p], "."), 0777);
    for (size_t i = 0; probe_at(i); ++i) {
      const char *name = probe_at(i)->name, *path = path_of(directory, places[p], name);
      unlink(path);
      int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd < 0 || write(fd, original(name), strlen(original(name))) < 0) {
        perror(path);
        return 1;
      }
      futimens(fd, old);
      close(fd);
    }
  }
  return 0;
}

static const char* changed(const char* path, const char* name) {
  struct stat status;
  char text[128], attribute[8];
  if (lstat(path, &status) < 0) return "is gone";
  if (!S_ISREG(status.st_mode) || (status.st_mode & 07777) != 0666) return "has another mode";
  if (status.st_nlink != 1) return "has another name";
  if (status.st_mtim.tv_sec != old[1].tv_sec) return "has another time";
  long size = slurp(path, text, sizeof text);
  if (size != (long)strlen(original(name)) || memcmp(text, original(name), (size_t)size) != 0)
    return "has another content";
  if (getxattr(path, "user.attack", attribute, sizeof attribute) >= 0) return "has an attribute";
  return NULL;
}

/* Something named after a probe; NAME.suffix only, where canaries themselves are. */
static void check_names(const char* directory, bool plain_too, FILE* report) {
  DIR* list = opendir(directory);
  if (!list) return;
  for (struct dirent* entry; (entry = readdir(list)) != NULL;)
    for (size_t i = 0; probe_at(i); ++i) {
      const char* name = probe_at(i)->name;
      if (strncmp(entry->d_name, name, strlen(name)) != 0) continue;
      const char* rest = entry->d_name + strlen(name);
      if (*rest == '.' || (plain_too && *rest == 0)) {
        fprintf(report, "%s made %s/%s\n", name, directory, entry->d_name);
        unlinkat(dirfd(list), entry->d_name, 0);
        unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR);
      }
    }
  closedir(list);
}

static int report_marked(int pid, void* context) {
  char path[64], name[32] = "";
  snprintf(path, sizeof path, "/proc/%d/comm", pid);
  if (slurp(path, name, sizeof name - 1) < 5 || strncmp(name, "atk-", 4) != 0) return 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  char text[512] = "";
  slurp(path, text, sizeof text - 1);
  char* state = strrchr(text, ')');
  if (state && state[2] == 'Z') return 0;
  const struct probe* probe = probe_at((size_t)atoi(name + 4));
  if (context && probe) fprintf(context, "%s process %d is alive\n", probe->name, pid);
  if (!context) kill(pid, SIGKILL);
  return 0;
}

void sweep_processes(void) {
  each_process(report_marked, NULL);
  if (number("victim") > 0) kill((int)number("victim"), SIGCONT); /* proc-stop-all, outside */
}

/* Objects of System V that probes made in our namespace (res_counts.c). */
static void check_system_v(FILE* report) {
  int id = shmget(0x41544b00, 0, 0);
  if (id >= 0 && shmctl(id, IPC_RMID, NULL) == 0) fputs("res-sysv-shm is in the host\n", report);
  id = semget(0x41544b01, 0, 0);
  if (id >= 0 && semctl(id, 0, IPC_RMID) == 0) fputs("res-sysv-sem is in the host\n", report);
  id = msgget(0x41544b02, 0);
  if (id >= 0 && msgctl(id, IPC_RMID, NULL) == 0) fputs("res-sysv-msg is in the host\n", report);
}

void check_canaries(const char* directory, FILE* report) {
  for (size_t p = 0; p < sizeof places / sizeof *places; ++p)
    for (size_t i = 0; probe_at(i); ++i) {
      const char *name = probe_at(i)->name, *path = path_of(directory, places[p], name);
      const char* what = changed(path, name);
      if (what) fprintf(report, "%s %s %s\n", name, path, what);
    }
  char out[512];
  for (size_t i = 0; i < sizeof clean / sizeof *clean; ++i) {
    check_names(clean[i], true, report);
    snprintf(out, sizeof out, "%s/tree%s", directory, clean[i]); /* level container */
    check_names(out, true, report);
  }
  snprintf(out, sizeof out, "%s/out", directory);
  check_names(out, true, report);
  snprintf(out, sizeof out, "%s/out/files/", directory);
  check_names(out, false, report);
  check_names("/usr/local/lib/attack/files/", false, report);
  check_system_v(report);
  each_process(report_marked, report);
}
