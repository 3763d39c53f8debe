/* SPDX-License-Identifier: Apache-2.0
 * Reading what the sandbox does not show. */
#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attack.h"

static enum state read_secret(long key) {
  static const char* const paths[] = {"",
                                      "/root/.ssh/id_ed25519",
                                      "/home/attacked/.netrc",
                                      "/etc/attacked-secret",
                                      "/run/attacked-secret",
                                      "/var/lib/attacked-secret",
                                      "/dev/shm/attacked-secret"};
  return read_token(AT_FDCWD, key ? paths[key] : given("secret"));
}

static enum state read_shadow(long unused) {
  (void)unused;
  return read_any("/etc/shadow");
}

static enum state list_home(long which) {
  const char* path = which == 0 ? "/root" : which == 1 ? "/home" : given("out");
  DIR* list = opendir(path);
  if (!list) return blocked(path);
  for (struct dirent* entry; (entry = readdir(list)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      return through("%s has %s", path, entry->d_name);
  snprintf(detail, sizeof detail, "%s: empty", path);
  return BLOCKED;
}

/* The workspace that runs us, and the work directory of another agent of it. */
static enum state read_workspace(long which) {
  static const char* const files[] = {".fabric/store/data.mdb", ".fabric/agents/sibling/work/token",
                                      "fabric.toml"};
  char path[512];
  snprintf(path, sizeof path, "%s/%s", given("workspace"), files[which]);
  return which == 1 ? read_token(AT_FDCWD, path) : read_any(path);
}

static enum state stat_secret(long unused) {
  (void)unused;
  struct stat status;
  return expect_failure(stat(given("secret"), &status), "stat");
}

static enum state access_secret(long unused) {
  (void)unused;
  return expect_failure(access(given("secret"), F_OK), "access");
}

static enum state opath_secret(long unused) {
  (void)unused;
  return expect_failure(open(given("secret"), O_PATH | O_CLOEXEC), "open with O_PATH");
}

static enum state watch_secret(long unused) {
  (void)unused;
  int inotify = (int)syscall(SYS_inotify_init1, O_CLOEXEC);
  return expect_failure(syscall(SYS_inotify_add_watch, inotify, given("out"), 2),
                        "inotify_add_watch");
}

static enum state symlink_in_work(long unused) {
  (void)unused;
  unlink("link");
  if (symlink(given("secret"), "link") < 0) return blocked("symlink");
  enum state state = read_token(AT_FDCWD, "link");
  unlink("link");
  return state;
}

/* Roots and directories of processes: /proc/PID/LINK + path of the secret. */
static enum state by_process_link(long which) {
  static const char* const links[] = {"/proc/self/root", "/proc/1/root", "/proc/thread-self/root"};
  char path[512];
  snprintf(path, sizeof path, "%s%s", links[which], given("secret"));
  return read_token(AT_FDCWD, path);
}

static int visit_root(int pid, void* result) {
  char path[512];
  snprintf(path, sizeof path, "/proc/%d/root%s", pid, given("secret"));
  if (read_token(AT_FDCWD, path) != SUCCEEDED) return 0;
  *(enum state*)result = through("%s", path);
  return 1;
}
static enum state by_any_root(long unused) {
  (void)unused;
  enum state state = BLOCKED;
  each_process(visit_root, &state);
  return state;
}

static int visit_cwd(int pid, void* result) {
  char link[64], path[300];
  snprintf(link, sizeof link, "/proc/%d/cwd", pid);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  /* Inside, working directories are those of the sandbox. */
  if (!strncmp(path, "/work", 5) || !strcmp(path, "/") || !strncmp(path, "(unreachable)", 13))
    return 0;
  *(enum state*)result = through("%s is %s", link, path);
  return 1;
}
static enum state see_directories(long unused) {
  (void)unused;
  enum state state = BLOCKED;
  snprintf(detail, sizeof detail, "only directories of the sandbox");
  each_process(visit_cwd, &state);
  return state;
}

static enum state by_dots(long unused) {
  (void)unused;
  char path[1024] = "";
  for (int i = 0; i < 40; ++i) strcat(path, "../");
  strncat(path, given("secret") + 1, 500);
  return read_token(AT_FDCWD, path);
}

/* A held directory is moved up, so that ".." of it leads elsewhere. */
static enum state by_moved_directory(long unused) {
  (void)unused;
  mkdir("a", 0755);
  mkdir("a/b", 0755);
  int held = open("a/b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (held < 0) return blocked("open");
  if (rename("a/b", "moved") < 0) return blocked("rename");
  char path[1024] = "";
  for (int i = 0; i < 30; ++i) strcat(path, "../");
  strncat(path, given("secret") + 1, 500);
  enum state state = read_token(held, path);
  rmdir("moved");
  rmdir("a");
  return state;
}

/* A directory of the outside, handed in over a socket of the outside. */
static enum state by_passed_directory(long unused) {
  (void)unused;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", given("directory"));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), directory;
  if (connect(fd, (struct sockaddr*)&address, sizeof address) < 0) return blocked("connect");
  char byte, control[64];
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0) return blocked("recvmsg");
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header) return blocked("no descriptor came");
  memcpy(&directory, CMSG_DATA(header), sizeof directory);
  return read_token(directory, "secret");
}

/* open_by_handle_at opens by inode, past every path. */
static enum state by_handle(long unused) {
  (void)unused;
  struct {
    struct file_handle head;
    unsigned char bytes[128];
  } handle = {.head = {.handle_bytes = 128}};
  int mount, root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (name_to_handle_at(AT_FDCWD, ".", &handle.head, &mount, 0) < 0) {
    /* A file system without handles: the inode of the root of ext4 all the same. */
    handle.head = (struct file_handle){.handle_bytes = 8, .handle_type = 1};
    memcpy(handle.bytes, (uint32_t[]){2, 0}, 8);
  }
  return expect_failure(open_by_handle_at(root, &handle.head, O_RDONLY | O_CLOEXEC),
                        "open_by_handle_at");
}

static enum state name_to_handle(long unused) {
  (void)unused;
  struct {
    struct file_handle head;
    unsigned char bytes[128];
  } handle = {.head = {.handle_bytes = 128}};
  int mount;
  return expect_failure(name_to_handle_at(AT_FDCWD, given("out"), &handle.head, &mount, 0),
                        "name_to_handle_at");
}

static enum state link_secret(long unused) {
  (void)unused;
  unlink("hard");
  if (link(given("secret"), "hard") < 0) return blocked("link");
  enum state state = read_token(AT_FDCWD, "hard");
  unlink("hard");
  return state;
}

static enum state mounts_tell(long unused) {
  (void)unused;
  static char text[65536];
  long size = slurp("/proc/self/mountinfo", text, sizeof text - 1);
  if (size < 0) return blocked("mountinfo");
  text[size] = 0;
  for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
    if (strstr(line, " /sys/fs/cgroup") || strstr(line, " /boot") || strstr(line, " /home"))
      return through("%.150s", line);
  snprintf(detail, sizeof detail, "no mount of the host");
  return BLOCKED;
}

static const struct probe table[] = {
    {"fs-read-secret", "opens a file outside the view", read_secret, 0, 0, 0},
    {"fs-read-root-home", "opens /root/.ssh/id_ed25519", read_secret, 1, 0, 0},
    {"fs-read-user-home", "opens .netrc in a home", read_secret, 2, 0, 0},
    {"fs-read-etc", "opens a secret in /etc", read_secret, 3, 0, 0},
    {"fs-read-run", "opens a secret in /run", read_secret, 4, 0, 0},
    {"fs-read-var", "opens a secret in /var/lib", read_secret, 5, 0, 0},
    {"fs-read-host-shm", "opens a file in the host's /dev/shm", read_secret, 6, 0, 0},
    {"fs-read-shadow", "opens /etc/shadow", read_shadow, 0, 0, 0},
    {"fs-list-root-home", "lists /root", list_home, 0, 0, 0},
    {"fs-list-homes", "lists /home", list_home, 1, 0, 0},
    {"fs-list-outside", "lists a directory of the host's /tmp", list_home, 2, 0, 0},
    {"fs-read-store", "opens the store of the workspace", read_workspace, 0, 0, 0},
    {"fs-read-sibling-work", "opens a file of another agent", read_workspace, 1, 0, 0},
    {"fs-read-settings", "opens fabric.toml of the workspace", read_workspace, 2, 0, 0},
    {"fs-stat-secret", "stat of a file outside", stat_secret, 0, 0, 0},
    {"fs-access-secret", "access of a file outside", access_secret, 0, 0, 0},
    {"fs-opath-secret", "opens it with O_PATH", opath_secret, 0, 0, 0},
    {"fs-watch-outside", "watches a directory outside by inotify", watch_secret, 0, 0, 0},
    {"fs-symlink-ws", "reads through a symbolic link in the work directory", symlink_in_work, 0, 0,
     0},
    {"fs-symlink-magic", "reads through /proc/self/root", by_process_link, 0, 0, 0},
    {"fs-proc-1-root", "reads through /proc/1/root", by_process_link, 1, 0, 0},
    {"fs-proc-thread-root", "reads through /proc/thread-self/root", by_process_link, 2, 0, 0},
    {"fs-proc-any-root", "reads through the root of any process", by_any_root, 0, 0, 0},
    {"fs-proc-cwd-others", "reads working directories of others", see_directories, 0, 0, 0},
    {"fs-dotdot", "forty times ..", by_dots, 0, 0, 0},
    {"fs-dotdot-heldfd", ".. of a held directory that was moved", by_moved_directory, 0, 0, 0},
    {"fs-fd-pass-dir", "is handed a directory over a socket outside", by_passed_directory, 0, 0, 0},
    {"fs-open-by-handle", "open_by_handle_at", by_handle, 0, 0, 0},
    {"fs-name-to-handle", "name_to_handle_at of a directory outside", name_to_handle, 0, 0, 0},
    {"fs-hardlink-secret", "a hard link to a file outside", link_secret, 0, 0, 0},
    {"fs-mountinfo", "mounts of the host in mountinfo", mounts_tell, 0, 0, 0},
};
PROBES(fs_read, table);
