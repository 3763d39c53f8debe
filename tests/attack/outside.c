/* SPDX-License-Identifier: Apache-2.0
 * What a sandbox must not reach: listeners, a process with a secret, a secret file. Each writes
 * into `hits` whoever reached it: the name of the probe, which is the first that a probe sends. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "attack.h"

enum { k_listeners = 24, k_most = 512 };
enum kind { LISTENER, DIRECTORY, DATAGRAM, DNS, STREAM };

static struct {
  enum kind kind;
  bool heard, listed;
  char where[40];
} about[k_most];
static struct pollfd polled[k_most];
static int used;
static int hits = -1, directory_fd = -1;
static char banner[64];

static void note(const char* name, const char* where) {
  char line[128];
  int length = snprintf(line, sizeof line, "%s reached %s\n", name, where);
  if (write(hits, line, (size_t)length) < 0) _exit(1);
}

/* The longest name of a probe in the text: it may stand in a path, an option, a label. False when
 * there is none. What only looks whether a listed host can be reached counts for nothing. */
static bool hit_named(const char* text, size_t size, const char* where) {
  const char* found = NULL;
  for (size_t i = 0; probe_at(i); ++i) {
    const char* name = probe_at(i)->name;
    if ((!found || strlen(name) > strlen(found)) && memmem(text, size, name, strlen(name)))
      found = name;
  }
  if (found) note(found, where);
  return found || memmem(text, size, "control", 7);
}

static void hit(const char* text, size_t size, const char* where) {
  if (size == 4 && !memcmp(text, "with", 4)) /* descriptors.c: it is meant to be connected */
    note("with", where);
  else if (!hit_named(text, size, where))
    note("unknown", where);
}

static void add(int fd, enum kind kind, const char* where) {
  if (fd < 0 || used == k_most) {
    if (fd >= 0) close(fd);
    return;
  }
  polled[used] = (struct pollfd){fd, POLLIN, 0};
  about[used].kind = kind;
  about[used].heard = about[used].listed = false;
  snprintf(about[used++].where, sizeof about[0].where, "%s", where);
}

static void remove_at(int index) {
  close(polled[index].fd);
  polled[index] = polled[--used];
  about[index] = about[used];
}

static int bound(int type, const void* address, socklen_t size) {
  int family = ((const struct sockaddr*)address)->sa_family, one = 1;
  int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (bind(fd, address, size) < 0 || (type == SOCK_STREAM && listen(fd, 128) < 0)) {
    close(fd);
    return -1;
  }
  return fd;
}

static void listen_on(int port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 v6 = {
      .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_any};
  char where[40];
  enum kind datagrams = port == 53 ? DNS : DATAGRAM;
  snprintf(where, sizeof where, "tcp port %d", port);
  add(bound(SOCK_STREAM, &v4, sizeof v4), LISTENER, where);
  add(bound(SOCK_STREAM, &v6, sizeof v6), LISTENER, where);
  snprintf(where, sizeof where, "udp port %d", port);
  add(bound(SOCK_DGRAM, &v4, sizeof v4), datagrams, where);
  add(bound(SOCK_DGRAM, &v6, sizeof v6), datagrams, where);
}

static void listen_unix(const char* path, enum kind kind) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t size = strlen(path);
  if (size >= sizeof address.sun_path) return;
  memcpy(address.sun_path, path, size);
  if (*path == '@')
    address.sun_path[0] = 0;
  else
    unlink(path);
  add(bound(SOCK_STREAM, &address,
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (*path != '@'))),
      kind, path);
  if (*path != '@') chmod(path, 0666);
}

static void send_directory(int socket) {
  char byte = 'd';
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {.header = {CMSG_LEN(sizeof(int)), 0, SOL_SOCKET, SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &directory_fd, sizeof(int));
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) hit("unknown", 7, "the sender of a directory");
}

static void greet(int fd) {
  if (send(fd, banner, strlen(banner), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return; /* it has gone */
}

/* HTTP and TLS servers wait for a request. What connects to a host that the agent `egress` may
 * reach and says nothing is no attack: a proxy may connect before it knows what will be said. */
static void take(int index) {
  struct sockaddr_in local = {0};
  socklen_t size = sizeof local;
  int fd = accept4(polled[index].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  getsockname(fd, (struct sockaddr*)&local, &size);
  const bool v4 = local.sin_family == AF_INET;
  const int port = v4 || local.sin_family == AF_INET6 ? ntohs(local.sin_port) : 0;
  if (about[index].kind == DIRECTORY)
    send_directory(fd);
  else if (port != 80 && port != 443)
    greet(fd);
  const int before = used;
  add(fd, STREAM, about[index].where);
  if (used > before) about[before].listed = v4 && local.sin_addr.s_addr == htonl(0x01010101);
}

static void answer(int index) {
  char text[512];
  struct sockaddr_storage from;
  socklen_t size = sizeof from;
  ssize_t got = recvfrom(polled[index].fd, text, sizeof text, 0, (struct sockaddr*)&from, &size);
  if (got < 0) return;
  hit(text, (size_t)got, about[index].kind == DNS ? "the name server" : about[index].where);
  if (about[index].kind == DNS && got > 12) { /* there is no such name (RFC 1035, 4.1.1) */
    text[2] = (char)0x81, text[3] = (char)0x83;
    sendto(polled[index].fd, text, (size_t)got, MSG_DONTWAIT, (struct sockaddr*)&from, size);
    return;
  }
  sendto(polled[index].fd, banner, strlen(banner), MSG_DONTWAIT, (struct sockaddr*)&from, size);
}

/* Who says nothing is noted too, once; what comes later on the same connection, by its name. */
static void hear(int index) {
  char text[2048];
  ssize_t got = recv(polled[index].fd, text, sizeof text, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got > 0 && about[index].heard)
    hit_named(text, (size_t)got, about[index].where);
  else if (got > 0 || (!about[index].heard && !about[index].listed))
    hit(text, got > 0 ? (size_t)got : 0, about[index].where);
  if (got > 0 && !about[index].heard) greet(polled[index].fd);
  about[index].heard = true;
  if (got <= 0) remove_at(index);
}

static _Noreturn void serve(void) {
  for (;;) {
    if (poll(polled, (nfds_t)used, -1) < 0) continue;
    for (int i = used - 1; i >= 0; --i) {
      if (!polled[i].revents) continue;
      if (about[i].kind == STREAM)
        hear(i);
      else if (about[i].kind == DATAGRAM || about[i].kind == DNS)
        answer(i);
      else
        take(i);
    }
  }
}

/* --- the victim: its token is in environment and memory; it writes down signals */

char victim_token[64] = "none";

static void note_signal(int signal) {
  char line[32];
  int size = snprintf(line, sizeof line, "signal-%d reached the victim\n", signal);
  if (write(9, line, (size_t)size) < 0) _exit(1);
}

int victim(void) {
  const char* token = getenv("VICTIM_TOKEN");
  if (token) snprintf(victim_token, sizeof victim_token, "%s", token);
  for (int signal = 1; signal < 32; ++signal)
    if (signal != SIGKILL && signal != SIGSTOP && signal != SIGCHLD && signal != SIGCONT)
      sigaction(signal, &(struct sigaction){.sa_handler = note_signal}, NULL);
  if (write(10, "r", 1) < 0) return 1;
  close(10);
  for (;;) pause();
}

/* A pid that no sandbox uses for one of its own. */
static pid_t start_victim(unsigned uid) {
  int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC), ready[2];
  if (last < 0 || write(last, "29999", 5) < 0) perror("ns_last_pid");
  close(last);
  if (pipe(ready) < 0) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    char environment[96];
    snprintf(environment, sizeof environment, "VICTIM_TOKEN=%s", banner);
    setpgid(0, 0);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    if (dup2(hits, 9) < 0 || dup2(ready[1], 10) < 0) _exit(1);
    if (setgid(uid) < 0 || setuid(uid) < 0) _exit(1);
    execve("/proc/self/exe", (char*[]){"attack", "victim", NULL}, (char*[]){environment, NULL});
    _exit(1);
  }
  close(ready[1]);
  char byte;
  if (read(ready[0], &byte, 1) != 1) return -1;
  close(ready[0]);
  return pid;
}

static void write_file(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) {
    perror(path);
    exit(1);
  }
  close(fd);
}

static void make_token(void) {
  unsigned char random[TOKEN_SIZE / 2];
  if (getrandom(random, sizeof random, 0) != sizeof random) exit(1);
  char* at = banner + sprintf(banner, TOKEN_MARK);
  for (size_t i = 0; i < sizeof random; ++i) at += sprintf(at, "%02x", random[i]);
}

int serve_outside(const char* directory, unsigned uid) {
  char path[512], text[2048];
  umask(0);
  signal(SIGPIPE, SIG_IGN);
  make_token();
  snprintf(path, sizeof path, "%s/hits", directory);
  hits = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  snprintf(path, sizeof path, "%s/out", directory);
  directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (hits < 0 || directory_fd < 0) return perror(path), 1;
  snprintf(path, sizeof path, "%s/out/secret", directory);
  write_file(path, banner);
  static const char* const copies[] = {"/root/.ssh/id_ed25519",    "/home/attacked/.netrc",
                                       "/etc/attacked-secret",     "/run/attacked-secret",
                                       "/var/lib/attacked-secret", "/var/log/attacked",
                                       "/dev/shm/attacked-secret", "/run/secrets/key"};
  for (size_t i = 0; i < sizeof copies / sizeof *copies; ++i) write_file(copies[i], banner);
  static const int ports[] = {5353, 80, 443, 53, 853, 22};
  for (size_t i = 0; i < sizeof ports / sizeof *ports; ++i) listen_on(ports[i]);
  char sockets[3][300];
  snprintf(sockets[0], sizeof sockets[0], "%s/out/socket", directory);
  snprintf(sockets[1], sizeof sockets[1], "%s/out/directory", directory);
  snprintf(sockets[2], sizeof sockets[2], "@attacked%d", (int)getpid());
  snprintf(path, sizeof path, "%s/bare/w/.fabric/run/control.sock", directory);
  listen_unix(path, LISTENER);
  listen_unix(sockets[0], LISTENER);
  listen_unix(sockets[1], DIRECTORY);
  listen_unix(sockets[2], LISTENER);
  static const char* const known[] = {"/run/docker.sock", "/run/dbus/system_bus_socket",
                                      "/tmp/.X11-unix/X0", "/tmp/ssh-attacked/agent.1"};
  for (size_t i = 0; i < sizeof known / sizeof *known; ++i) listen_unix(known[i], LISTENER);
  struct stat pts;
  pid_t pid = start_victim(uid);
  if (pid < 0) return perror("victim"), 1;
  int size = snprintf(
      text, sizeof text,
      "token_hash %llx\nout %s/out\nsecret %s/out/secret\nfiles %s/out/files\nusr "
      "/usr/local/lib/attack/files\n"
      "devpts %ld\nport 5353\nsocket %s\ndirectory %s\nabstract %s\nvictim %d\nvictim_token %llx\n",
      (unsigned long long)token_hash(banner + strlen(TOKEN_MARK)), directory, directory, directory,
      stat("/dev/pts", &pts) == 0 ? (long)pts.st_dev : -1L, sockets[0], sockets[1], sockets[2],
      (int)pid, (unsigned long long)(uintptr_t)victim_token);
  if (size >= (int)sizeof text) return 1;
  snprintf(path, sizeof path, "%s/context", directory);
  write_file(path, text);
  snprintf(path, sizeof path, "%s/token", directory);
  write_file(path, banner);
  /* Ready: whoever started us may go on. */
  pid_t server = fork();
  if (server != 0) {
    printf("%d\n", (int)server);
    return server < 0;
  }
  freopen("/dev/null", "w", stdout);
  serve();
}
