// SPDX-License-Identifier: Apache-2.0
// Both ends of a connection that is measured. Static, with musl.
//   net_peer serve ADDRESS          prints its port; "e" is answered with "e", "g" with all that is
//                                   measured, "u" with "e" when as much has come
//   net_peer ask HOST PORT ROUNDS   prints medians: connect_ns, first_byte_ns (from before the
//                                   connect until an answer is there), and down_bps, up_bps: bytes
//                                   a second
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { k_connections = 64, k_most_rounds = 100000 };
static const uint64_t k_bytes = 512u << 20;
static char piece[256 << 10];

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void send_all(int fd, uint64_t bytes) {
  while (bytes > 0) {
    ssize_t n = send(fd, piece, bytes < sizeof piece ? bytes : sizeof piece, MSG_NOSIGNAL);
    if (n <= 0) exit(1);
    bytes -= (uint64_t)n;
  }
}

static void receive_all(int fd, uint64_t bytes) {
  while (bytes > 0) {
    ssize_t n = recv(fd, piece, bytes < sizeof piece ? bytes : sizeof piece, 0);
    if (n <= 0) exit(1);
    bytes -= (uint64_t)n;
  }
}

// False: it has ended, or a process of its own goes on with it.
static int answer(int fd) {
  char what = 0;
  if (recv(fd, &what, 1, 0) != 1) return 0;
  if (what == 'e') return send(fd, "e", 1, MSG_NOSIGNAL) == 1;
  if (fork() == 0) {
    if (what == 'g') {
      send_all(fd, k_bytes);
    } else {
      receive_all(fd, k_bytes);
      send_all(fd, 1);
    }
    _exit(0);
  }
  return 0;
}

static _Noreturn void serve(const char* address) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGCHLD, SIG_IGN);
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t size = sizeof at;
  inet_pton(AF_INET, address, &at.sin_addr);
  struct pollfd ask[k_connections + 1];
  int count = 1;
  ask[0].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ask[0].events = POLLIN;
  if (bind(ask[0].fd, (struct sockaddr*)&at, size) < 0 || listen(ask[0].fd, 128) < 0) die("listen");
  getsockname(ask[0].fd, (struct sockaddr*)&at, &size);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  for (;;) {
    if (poll(ask, (nfds_t)count, -1) < 0) continue;
    for (int i = count - 1; i > 0; --i)
      if (ask[i].revents != 0 && !answer(ask[i].fd)) {
        close(ask[i].fd);
        ask[i] = ask[--count];
      }
    if (ask[0].revents == 0 || count > k_connections) continue;
    int fd = accept4(ask[0].fd, NULL, NULL, SOCK_CLOEXEC), on = 1;
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ask[count].events = POLLIN;
    ask[count].revents = 0;
    ask[count++].fd = fd;
  }
}

static struct addrinfo* target;

static int open_connection(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (connect(fd, target->ai_addr, target->ai_addrlen) < 0) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void converse(int fd, const char* what, uint64_t out, uint64_t in) {
  if (send(fd, what, 1, MSG_NOSIGNAL) != 1) die("send");
  send_all(fd, out);
  receive_all(fd, in);
}

static int larger(const void* a, const void* b) {
  int64_t left = *(const int64_t*)a, right = *(const int64_t*)b;
  return (left > right) - (left < right);
}

static double rate(const char* what, uint64_t out, uint64_t in) {
  int fd = open_connection();
  converse(fd, "e", 0, 1);
  int64_t begin = now();
  converse(fd, what, out, in);
  double seconds = (double)(now() - begin) / 1e9;
  close(fd);
  return (double)k_bytes / seconds;
}

static int ask(const char* host, const char* port, int rounds) {
  static int64_t connects[k_most_rounds], answers[k_most_rounds];
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
  if (rounds < 1 || rounds > k_most_rounds || getaddrinfo(host, port, &hints, &target) != 0)
    return 2;
  for (int i = 0; i < rounds; ++i) {
    int64_t begin = now();
    int fd = open_connection();
    connects[i] = now() - begin;
    converse(fd, "e", 0, 1);
    answers[i] = now() - begin;
    close(fd);
  }
  qsort(connects, (size_t)rounds, sizeof *connects, larger);
  qsort(answers, (size_t)rounds, sizeof *answers, larger);
  double down = rate("g", 0, k_bytes), up = rate("u", k_bytes, 1);
  printf("connect_ns %lld\nfirst_byte_ns %lld\ndown_bps %.0f\nup_bps %.0f\n",
         (long long)connects[rounds / 2], (long long)answers[rounds / 2], down, up);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0) serve(argv[2]);
  if (argc == 5 && strcmp(argv[1], "ask") == 0) return ask(argv[2], argv[3], atoi(argv[4]));
  return 2;
}
