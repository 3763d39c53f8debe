/* SPDX-License-Identifier: Apache-2.0
 * Past a list of hosts. The agent `egress` may reach listed.attacked.test on ports 80 and 443, and
 * every name below wild.attacked.test on port 443; all names of attacked.test are addresses of the
 * laboratory, where outside.c answers. Whatever is sent starts with the name of the probe, so that
 * the outside sees who came through. */
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "attack.h"

static int connect_name(const char* host, const char* port) {
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
static enum state exchange_text(int fd, const char* text, size_t size) {
  if (fd < 0) return blocked("connect");
  if (send(fd, text, size, MSG_NOSIGNAL) < 0) return blocked("send");
  char bytes[4096];
  ssize_t got = recv(fd, bytes, sizeof bytes, 0);
  if (got > 0 && has_token(bytes, (size_t)got)) return through("answered");
  return tried();
}

static enum state by_name(long which) {
  static const char* const names[][2] = {
      {"other.attacked.test", "80"},        {"listed.attacked.test", "22"},
      {"listed.attacked.test", "853"},      {"wild.attacked.test", "443"},
      {"evilwild.attacked.test", "443"},    {"listed.attacked.test.other.attacked.test", "80"},
      {"rebind.wild.attacked.test", "443"}, {"a.wild.attacked.test", "22"},
      {"notlisted.attacked.test", "443"}};
  int fd = connect_name(names[which][0], names[which][1]);
  return exchange_text(fd, current->name, strlen(current->name));
}

/* Through the proxy of the sandbox; outside there is none, and the request goes to the host itself.
 */
static enum state by_proxy(long which) {
  static const char* const targets[] = {"other.attacked.test:80",
                                        "listed.attacked.test:22",
                                        "listed.attacked.test@other.attacked.test:80",
                                        "0x7f000001:5353",
                                        "2130706433:5353",
                                        "127.1:5353",
                                        "127.0.0.1:5353",
                                        "[::1]:5353",
                                        "169.254.169.254:80",
                                        "wild.attacked.test:443",
                                        "listed.attacked.test%00.other.attacked.test:80",
                                        "[::ffff:127.0.0.1]:5353"};
  const char* proxy = getenv("HTTP_PROXY");
  char text[300];
  int fd;
  if (proxy) {
    fd = connect_name("127.0.0.1", "3128");
    int size = snprintf(text, sizeof text, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                        targets[which], targets[which]);
    if (fd < 0) return blocked("connect to the proxy");
    if (send(fd, text, (size_t)size, MSG_NOSIGNAL) < 0) return blocked("send");
    ssize_t got = recv(fd, text, sizeof text - 1, 0);
    if (got <= 0) return blocked("the proxy hung up");
    text[got] = 0;
    if (!strstr(text, " 200 ")) return snprintf(detail, sizeof detail, "%.40s", text), BLOCKED;
  } else {
    fd = connect_name("127.0.0.1", "5353");
  }
  return exchange_text(fd, current->name, strlen(current->name));
}

/* A request for a listed host that names another one. */
static enum state other_host(long which) {
  static const char* const requests[] = {
      "%s GET / HTTP/1.1\r\nHost: other.attacked.test\r\n\r\n",
      "GET http://other.attacked.test/%s HTTP/1.1\r\nHost: listed.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost: listed.attacked.test\r\nHost: other.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost:\tother.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost: listed.attacked.test@other.attacked.test\r\n\r\n"};
  char text[400];
  int size = snprintf(text, sizeof text, requests[which], current->name);
  return exchange_text(connect_name("listed.attacked.test", "80"), text, (size_t)size);
}

/* Not an attack: what is listed has to be reachable, else the others prove nothing. */
int reach_what_is_listed(void) {
  static const char request[] = "GET /control HTTP/1.1\r\nHost: listed.attacked.test\r\n\r\n";
  char bytes[256];
  int fd = connect_name("listed.attacked.test", "80");
  if (fd < 0 || send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) return 1;
  ssize_t got = recv(fd, bytes, sizeof bytes, 0);
  if (got <= 0 || !has_token(bytes, (size_t)got)) return 1;
  puts("REACHED");
  return 0;
}

#define NAME(name, index, what) \
  { name, what, by_name, index, EGRESS | OWN_TASK, 0 }
#define PROXY(name, index, what) \
  { name, what, by_proxy, index, EGRESS | OWN_TASK, 0 }
#define HOST(name, index, what) \
  { name, what, other_host, index, EGRESS | OWN_TASK, 0 }
static const struct probe table[] = {
    NAME("net-egress-unlisted", 0, "a name that is not listed"),
    NAME("net-egress-port", 1, "a listed name on port 22"),
    NAME("net-egress-port-dot", 2, "a listed name on port 853"),
    NAME("net-egress-apex", 3, "the apex of a wildcard"),
    NAME("net-egress-suffix", 4, "a name that only ends like a wildcard"),
    NAME("net-egress-prefix", 5, "a name that only begins like a listed one"),
    NAME("net-egress-rebind", 6, "a name below a wildcard that is an address of the host"),
    NAME("net-egress-wild-port", 7, "a wildcard on another port"),
    NAME("net-egress-lookalike", 8, "a name that looks like a listed one"),
    PROXY("net-proxy-unlisted", 0, "CONNECT to a name that is not listed"),
    PROXY("net-proxy-port", 1, "CONNECT to another port"),
    PROXY("net-proxy-userinfo", 2, "CONNECT to listed@other"),
    PROXY("net-proxy-hex", 3, "CONNECT to 0x7f000001"),
    PROXY("net-proxy-decimal", 4, "CONNECT to 2130706433"),
    PROXY("net-proxy-short", 5, "CONNECT to 127.1"),
    PROXY("net-proxy-loopback", 6, "CONNECT to 127.0.0.1"),
    PROXY("net-proxy-loopback6", 7, "CONNECT to [::1]"),
    PROXY("net-proxy-metadata", 8, "CONNECT to metadata"),
    PROXY("net-proxy-apex", 9, "CONNECT to the apex of a wildcard"),
    PROXY("net-proxy-nul", 10, "CONNECT with %00 in the name"),
    PROXY("net-proxy-mapped", 11, "CONNECT to [::ffff:127.0.0.1]"),
    HOST("net-http-not-http", 0, "text that is not HTTP on port 80"),
    HOST("net-http-absolute", 1, "an absolute form that names another host"),
    HOST("net-http-two-hosts", 2, "two Host headers"),
    HOST("net-http-tab", 3, "another Host behind a tab"),
    HOST("net-http-userinfo", 4, "Host: listed@other"),
};
PROBES(net_egress, table);
