/* SPDX-License-Identifier: Apache-2.0
 * Past a list of hosts. The agent `egress` has the rules of lab.sh; all names of attacked.test are
 * addresses of the laboratory (its /etc/hosts), where outside.c answers. Whatever is sent has the
 * name of the probe in it, so that the outside sees who came through. What is sent is what the port
 * is for, with the right name: only the rule that is attacked stands in the way. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "attack.h"
#include "speech.h"

int connect_name(const char* host, const char* port) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  if (getaddrinfo(host, port, &hints, &list) != 0) return errno = ENOENT, -1;
  int fd = -1;
  for (struct addrinfo* at = list; at && fd < 0; at = at->ai_next) {
    fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, at->ai_addr, at->ai_addrlen) < 0) close(fd), fd = -1;
  }
  freeaddrinfo(list);
  return fd;
}

/* Connected is not through: what counts is that the outside hears us or that we hear it. */
enum state exchange_text(int fd, const void* text, size_t size) {
  if (fd < 0) return blocked("connect");
  if (send(fd, text, size, MSG_NOSIGNAL) < 0) return blocked("send");
  char bytes[4096];
  ssize_t got = recv(fd, bytes, sizeof bytes, 0);
  if (got > 0 && has_token(bytes, (size_t)got)) return through("answered");
  return tried();
}

/* As a program that means it would speak. */
enum state exchange_as_usual(int fd, const char* host, const char* port) {
  unsigned char text[1024];
  size_t size;
  if (!strcmp(port, "443"))
    size = write_hello(text, &(struct hello){.names = {host}, .protocol = current->name});
  else if (!strcmp(port, "80"))
    size = (size_t)snprintf((char*)text, sizeof text, "GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n",
                            current->name, host);
  else
    size = (size_t)snprintf((char*)text, sizeof text, "%s", current->name);
  return exchange_text(fd, text, size);
}

static enum state by_name(long which) {
  static const char* const names[][2] = {
      {"other.attacked.test", "80"},
      {"listed.attacked.test", "22"},
      {"listed.attacked.test", "853"},
      {"wild.attacked.test", "443"},
      {"evilwild.attacked.test", "443"},
      {"listed.attacked.test.other.attacked.test", "80"},
      {"loopback.rebind.attacked.test", "80"},
      {"a.wild.attacked.test", "22"},
      {"notlisted.attacked.test", "443"},
      {"bad.wild.attacked.test", "443"},
      {"own.rebind.attacked.test", "80"},
      {"lan.rebind.attacked.test", "80"},
      {"metadata.rebind.attacked.test", "80"},
      {"loopback6.rebind.attacked.test", "80"},
      {"nat64.rebind.attacked.test", "80"},
      {"6to4.rebind.attacked.test", "80"},
      {"metadata6.rebind.attacked.test", "80"},
      {"metadata.attacked.test", "80"}, /* listed, with +private */
      {"cgnat.rebind.attacked.test", "80"},
      {"loopback.rebind.attacked.test", "443"}};
  int fd = connect_name(names[which][0], names[which][1]);
  return exchange_as_usual(fd, names[which][0], names[which][1]);
}

/* --- through the proxies of the sandbox; outside there are none, and the host itself is asked */

enum { k_control = 18 }; /* the last of the targets: it is listed */
static const struct {
  const char *host, *port;
} targets[] = {{"other.attacked.test", "80"},
               {"listed.attacked.test", "22"},
               {"listed.attacked.test@other.attacked.test", "80"},
               {"0x7f000001", "5353"},
               {"2130706433", "5353"},
               {"127.1", "5353"},
               {"127.0.0.1", "5353"},
               {"[::1]", "5353"},
               {"169.254.169.254", "80"},
               {"wild.attacked.test", "443"},
               {"listed.attacked.test%00.other.attacked.test", "80"},
               {"[::ffff:127.0.0.1]", "5353"},
               {"bad.wild.attacked.test", "443"},
               {"loopback.rebind.attacked.test", "80"},
               {"listed.attacked.test:80@other.attacked.test", "80"},
               {"017700000001", "5353"},
               {"listed.attacked.test#.other.attacked.test", "80"},
               {"other.attacked.test/listed.attacked.test", "80"},
               {"listed.attacked.test", "80"}};

static enum state by_proxy(long which) {
  const char *host = targets[which].host, *port = targets[which].port;
  char text[400];
  int fd = connect_name("127.0.0.1", "3128");
  if (fd < 0) return exchange_as_usual(connect_name("127.0.0.1", "5353"), host, "5353");
  int size = snprintf(text, sizeof text, "CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", host,
                      port, host, port);
  if (send(fd, text, (size_t)size, MSG_NOSIGNAL) < 0) return blocked("send");
  ssize_t got = recv(fd, text, sizeof text - 1, 0);
  if (got <= 0) return blocked("the proxy hung up");
  text[got] = 0;
  if (!strstr(text, " 200 ")) {
    text[strcspn(text, "\r\n")] = 0;
    return snprintf(detail, sizeof detail, "%.60s", text), BLOCKED;
  }
  return exchange_as_usual(fd, host, port);
}

/* RFC 1928: type 3 is a name, 1 and 4 are addresses. */
static enum state by_socks(long which) {
  const char *host = targets[which].host, *port = targets[which].port;
  unsigned char text[300] = {5, 1, 0};
  int fd = connect_name("127.0.0.1", "1080");
  if (fd < 0) return exchange_as_usual(connect_name("127.0.0.1", "5353"), host, "5353");
  if (send(fd, text, 3, MSG_NOSIGNAL) < 0 || recv(fd, text, 2, MSG_WAITALL) != 2 || text[1] != 0)
    return blocked("SOCKS");
  unsigned char* at = text;
  memcpy(at, (unsigned char[]){5, 1, 0}, 3);
  at += 3;
  struct in_addr v4;
  struct in6_addr v6;
  char bare[128];
  snprintf(bare, sizeof bare, "%.*s", (int)strcspn(host + (*host == '['), "]"),
           host + (*host == '['));
  if (inet_pton(AF_INET, bare, &v4) == 1) {
    *at++ = 1;
    memcpy(at, &v4, 4), at += 4;
  } else if (inet_pton(AF_INET6, bare, &v6) == 1) {
    *at++ = 4;
    memcpy(at, &v6, 16), at += 16;
  } else {
    *at++ = 3;
    *at++ = (unsigned char)strlen(bare);
    memcpy(at, bare, strlen(bare)), at += strlen(bare);
  }
  const unsigned number = (unsigned)atoi(port);
  *at++ = (unsigned char)(number >> 8);
  *at++ = (unsigned char)number;
  if (send(fd, text, (size_t)(at - text), MSG_NOSIGNAL) < 0) return blocked("send");
  ssize_t got = recv(fd, text, sizeof text, 0);
  if (got < 2) return blocked("the proxy hung up");
  if (text[1] != 0) return snprintf(detail, sizeof detail, "SOCKS reply %d", text[1]), BLOCKED;
  return exchange_as_usual(fd, host, port);
}

/* Questions alone: nothing of a name may leave, whether a rule covers it or not. */
static enum state leak_by_name(long how) {
  char name[128], text[300];
  snprintf(name, sizeof name, "%s.%sattacked.test", current->name, how % 2 ? "wild." : "");
  int fd = how < 2 ? -1 : connect_name("127.0.0.1", "3128");
  if (fd < 0) {
    struct addrinfo* list = NULL;
    if (getaddrinfo(name, "443", NULL, &list) == 0) freeaddrinfo(list);
    return tried();
  }
  int size = snprintf(text, sizeof text, "CONNECT %s:80 HTTP/1.1\r\n\r\n", name);
  return exchange_text(fd, text, (size_t)size);
}

/* Not an attack: what is listed has to be reachable, else the others prove nothing. */
static bool answers(const char* host, const char* port) {
  unsigned char text[1024];
  size_t size;
  if (!strcmp(port, "443"))
    size = write_hello(text, &(struct hello){.names = {host}, .protocol = "control"});
  else
    size = (size_t)snprintf((char*)text, sizeof text, "GET /control HTTP/1.1\r\nHost: %s\r\n\r\n",
                            host);
  return exchange_text(connect_name(host, port), text, size) == SUCCEEDED;
}
int reach_what_is_listed(void) {
  if (!answers("listed.attacked.test", "80")) return puts("not HTTP"), 1;
  if (!answers("listed.attacked.test", "443")) return puts("not TLS"), 1;
  if (!answers("a.wild.attacked.test", "443")) return puts("not a wildcard"), 1;
  static const struct probe control = {"control", "", by_proxy, k_control, 0, 0};
  current = &control;
  if (by_proxy(k_control) != SUCCEEDED) return printf("not by the proxy: %s\n", detail), 1;
  if (by_socks(k_control) != SUCCEEDED) return printf("not by SOCKS: %s\n", detail), 1;
  puts("REACHED");
  return 0;
}

#define NAME(name, index, what) \
  { name, what, by_name, index, EGRESS, 0 }
#define PROXY(name, index, what) \
  { name, "CONNECT to " what, by_proxy, index, EGRESS, 0 }
#define SOCKS(name, index, what) \
  { name, "SOCKS to " what, by_socks, index, EGRESS, 0 }
static const struct probe table[] = {
    NAME("net-egress-unlisted", 0, "a name that is not listed"),
    NAME("net-egress-port", 1, "a listed name on port 22"),
    NAME("net-egress-port-dot", 2, "a listed name on port 853"),
    NAME("net-egress-apex", 3, "the apex of a wildcard"),
    NAME("net-egress-suffix", 4, "a name that only ends like a wildcard"),
    NAME("net-egress-prefix", 5, "a name that only begins like a listed one"),
    NAME("net-egress-wild-port", 7, "a wildcard on another port"),
    NAME("net-egress-lookalike", 8, "a name that looks like a listed one"),
    NAME("net-egress-excluded", 9, "a name that a rule takes out of a wildcard"),
    NAME("net-rebind-loopback", 6, "a listed name that is 127.0.0.1"),
    NAME("net-rebind-tls", 19, "the same by TLS"),
    NAME("net-rebind-own", 10, "a listed name that is an address of the host"),
    NAME("net-rebind-lan", 11, "a listed name that is in the host's network"),
    NAME("net-rebind-metadata", 12, "a listed name that is metadata of a cloud"),
    NAME("net-rebind-loopback6", 13, "a listed name that is ::1"),
    NAME("net-rebind-nat64", 14, "a listed name that is 127.0.0.1 in NAT64"),
    NAME("net-rebind-6to4", 15, "a listed name that is 127.0.0.1 in 6to4"),
    NAME("net-rebind-metadata6", 16, "a listed name that is metadata over IPv6"),
    NAME("net-rebind-cgnat", 18, "a listed name that is metadata of Alibaba"),
    NAME("net-private-metadata", 17, "a name that may be private, and is metadata"),
    PROXY("net-proxy-unlisted", 0, "a name that is not listed"),
    PROXY("net-proxy-port", 1, "another port"),
    PROXY("net-proxy-userinfo", 2, "listed@other"),
    PROXY("net-proxy-hex", 3, "0x7f000001"),
    PROXY("net-proxy-decimal", 4, "2130706433"),
    PROXY("net-proxy-octal", 15, "017700000001"),
    PROXY("net-proxy-short", 5, "127.1"),
    PROXY("net-proxy-loopback", 6, "127.0.0.1"),
    PROXY("net-proxy-loopback6", 7, "[::1]"),
    PROXY("net-proxy-metadata", 8, "metadata"),
    PROXY("net-proxy-apex", 9, "the apex of a wildcard"),
    PROXY("net-proxy-nul", 10, "a name with %00 in it"),
    PROXY("net-proxy-mapped", 11, "[::ffff:127.0.0.1]"),
    PROXY("net-proxy-excluded", 12, "a name that is taken out of a wildcard"),
    PROXY("net-proxy-rebind", 13, "a listed name that is 127.0.0.1"),
    PROXY("net-proxy-userinfo-port", 14, "listed:80@other"),
    PROXY("net-proxy-fragment", 16, "listed#.other"),
    PROXY("net-proxy-path", 17, "other/listed"),
    SOCKS("net-socks-unlisted", 0, "a name that is not listed"),
    SOCKS("net-socks-port", 1, "another port"),
    SOCKS("net-socks-hex", 3, "0x7f000001"),
    SOCKS("net-socks-decimal", 4, "2130706433"),
    SOCKS("net-socks-short", 5, "127.1"),
    SOCKS("net-socks-loopback", 6, "127.0.0.1"),
    SOCKS("net-socks-loopback6", 7, "::1"),
    SOCKS("net-socks-metadata", 8, "metadata"),
    SOCKS("net-socks-apex", 9, "the apex of a wildcard"),
    SOCKS("net-socks-mapped", 11, "::ffff:127.0.0.1"),
    SOCKS("net-socks-rebind", 13, "a listed name that is 127.0.0.1"),
    {"net-leak-unlisted", "asks for a name of no rule, which carries data", leak_by_name, 0, EGRESS,
     0},
    {"net-leak-wild", "asks for a name below a wildcard, which carries data", leak_by_name, 1,
     EGRESS, 0},
    {"net-leak-proxy", "has the proxy look up such a name", leak_by_name, 2, EGRESS, 0},
};
PROBES(net_egress, table);
