/* SPDX-License-Identifier: Apache-2.0
 * Connections to the outside without any that is allowed. In the laboratory that tests/attack/run
 * makes, all these addresses are those of its loopback, and outside.c listens there: outside every
 * one of them answers. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attack.h"

static socklen_t fill_address(struct sockaddr_storage* address, const char* host, long port) {
  struct sockaddr_in* v4 = (struct sockaddr_in*)address;
  struct sockaddr_in6* v6 = (struct sockaddr_in6*)address;
  memset(address, 0, sizeof *address);
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    return sizeof *v4;
  }
  inet_pton(AF_INET6, host, &v6->sin6_addr);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons((uint16_t)port);
  return sizeof *v6;
}

/* A connection that does not stand within a second does not stand. */
static int connect_soon(int fd, const void* address, socklen_t size) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (connect(fd, address, size) == 0) return 0;
  if (errno != EINPROGRESS) return -1;
  struct pollfd wait = {fd, POLLOUT, 0};
  int error = ETIMEDOUT;
  socklen_t length = sizeof error;
  if (poll(&wait, 1, 1000) > 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  errno = error;
  return error ? -1 : 0;
}

static enum state greet(int fd) {
  char bytes[256];
  struct pollfd wait = {fd, POLLIN, 0};
  if (write(fd, current->name, strlen(current->name)) < 0) return blocked("write");
  if (poll(&wait, 1, 1000) > 0) {
    ssize_t got = read(fd, bytes, sizeof bytes);
    if (got > 0 && has_token(bytes, (size_t)got)) return through("connected, and was answered");
  }
  return through("connected");
}

static enum state tcp_to(const char* host, long port, int protocol) {
  struct sockaddr_storage address;
  socklen_t size = fill_address(&address, host, port);
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
  if (fd < 0) return blocked("socket");
  if (connect_soon(fd, &address, size) < 0) return blocked(host);
  return greet(fd);
}

static const struct {
  const char* host;
  int port;
} targets[] = {{"127.0.0.1", 5353},
               {"::1", 5353},
               {"10.20.30.40", 5353},
               {"10.20.30.1", 80},
               {"169.254.169.254", 80},
               {"fd00:ec2::254", 80},
               {"100.100.100.200", 80},
               {"168.63.129.16", 80},
               {"1.1.1.1", 443},
               {"::ffff:127.0.0.1", 5353},
               {"64:ff9b::7f00:1", 5353},
               {"2002:7f00:1::", 5353},
               {"0.0.0.0", 5353},
               {"::", 5353},
               {"8.8.8.8", 53},
               {"1.1.1.1", 853},
               {"127.0.0.53", 53},
               {"192.168.1.1", 22},
               {"::ffff:169.254.169.254", 80},
               {"2606:4700::1111", 443},
               {"fe80::1", 80},
               {"127.1.2.3", 5353}};

static enum state tcp(long which) { return tcp_to(targets[which].host, targets[which].port, 0); }
static enum state mptcp(long which) {
  return tcp_to(targets[which].host, targets[which].port, 262);
}

static enum state datagram(long which) {
  struct sockaddr_storage address;
  socklen_t size = fill_address(&address, targets[which % 100].host, targets[which % 100].port);
  int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return blocked("socket");
  long sent;
  if (which >= 100) {
    if (connect(fd, (struct sockaddr*)&address, size) < 0) return blocked("connect");
    sent = send(fd, current->name, strlen(current->name), 0);
  } else {
    sent = sendto(fd, current->name, strlen(current->name), 0, (struct sockaddr*)&address, size);
  }
  if (sent < 0) return blocked("sendto");
  struct pollfd wait = {fd, POLLIN, 0};
  char bytes[256];
  ssize_t got = poll(&wait, 1, 300) > 0 ? recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) : 0;
  return got > 0 ? through("answered") : tried();
}

/* A question for NAME-OF-PROBE.attacked.test. */
static enum state ask(long which) {
  unsigned char question[128] = {1, 2, 1, 0, 0, 1};
  struct sockaddr_storage address;
  socklen_t size = fill_address(&address, targets[which % 100].host, 53);
  unsigned char* at = question + 12;
  const char* labels[] = {current->name, "attacked", "test"};
  for (int i = 0; i < 3; ++i) {
    *at++ = (unsigned char)strlen(labels[i]);
    memcpy(at, labels[i], strlen(labels[i]));
    at += strlen(labels[i]);
  }
  memcpy(at, (unsigned char[]){0, 0, (unsigned char)(which >= 100 ? 16 : 1), 0, 1}, 5);
  int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return blocked("socket");
  if (sendto(fd, question, (size_t)(at + 5 - question), 0, (struct sockaddr*)&address, size) < 0)
    return blocked("sendto");
  struct pollfd wait = {fd, POLLIN, 0};
  poll(&wait, 1, 200);
  return tried();
}

/* Datagrams and connections that leave by one call, past connect(). */
static enum state fast_open(long how) {
  struct sockaddr_storage address;
  socklen_t size = fill_address(&address, how >= 10 ? "10.20.30.40" : "127.0.0.1", 5353);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  char* name = (char*)current->name;
  struct iovec part = {name, strlen(name)};
  struct mmsghdr messages = {
      .msg_hdr = {.msg_name = &address, .msg_namelen = size, .msg_iov = &part, .msg_iovlen = 1}};
  long result;
  switch (how % 10) {
    case 0:
      result = sendto(fd, name, strlen(name), MSG_FASTOPEN | MSG_NOSIGNAL,
                      (struct sockaddr*)&address, size);
      break;
    case 1:
      result = sendmsg(fd, &messages.msg_hdr, MSG_FASTOPEN | MSG_NOSIGNAL);
      break;
    case 2:
      result = sendmmsg(fd, &messages, 1, MSG_FASTOPEN | MSG_NOSIGNAL);
      break;
    case 3:
      result = setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof one);
      break;
    case 4:
      result = syscall(SYS_setsockopt, fd, 0x700000006, 0x70000001e, &one, sizeof one);
      break; /* filled upper halves */
    default:
      result = setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &one, sizeof one);
      break;
  }
  return expect_failure(result, "fast open");
}

static enum state local_socket(long which) {
  static const char* const paths[] = {"/run/docker.sock", "/run/dbus/system_bus_socket",
                                      "/tmp/.X11-unix/X0", "/tmp/ssh-attacked/agent.1",
                                      "/var/run/docker.sock"};
  char path[300];
  if (which < 5)
    snprintf(path, sizeof path, "%s", paths[which]);
  else if (which == 5)
    snprintf(path, sizeof path, "%s", given("socket"));
  else if (which == 6)
    snprintf(path, sizeof path, "%s", given("abstract"));
  else if (which == 7)
    snprintf(path, sizeof path, "%s/.fabric/run/control.sock", given("workspace"));
  else
    snprintf(path, sizeof path, "/proc/1/root%s", given("socket"));
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t size = strlen(path);
  if (size >= sizeof address.sun_path) return unavailable("the path is too long");
  memcpy(address.sun_path, path, size);
  if (*path == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr*)&address,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (*path != '@'))) < 0)
    return blocked("connect");
  if (which == 7) return through("connected to the supervisor");
  return greet(fd);
}

static enum state abstract_datagram(long unused) {
  (void)unused;
  char text[65536];
  long size = slurp("/proc/net/unix", text, sizeof text - 1);
  if (size < 0) return blocked("/proc/net/unix");
  text[size] = 0;
  return strstr(text, "@attacked")
             ? through("sees sockets of the outside")
             : (snprintf(detail, sizeof detail, "none of the outside"), BLOCKED);
}

static enum state resolve(long unused) {
  (void)unused;
  return ask(14); /* 8.8.8.8 */
}

#define TCP(name, index, what) \
  { name, what, tcp, index, 0, 0 }
static const struct probe table[] = {
    TCP("net-localhost4", 0, "a service on 127.0.0.1"),
    TCP("net-localhost6", 1, "a service on ::1"),
    TCP("net-localhost-other", 21, "a service on another loopback address"),
    TCP("net-host-address", 2, "a service on an address of the host"),
    TCP("net-gateway", 3, "the gateway"),
    TCP("net-lan", 17, "another machine of the network, by ssh"),
    TCP("net-metadata", 4, "metadata of a cloud"),
    TCP("net-metadata6", 5, "metadata of AWS over IPv6"),
    TCP("net-metadata-alibaba", 6, "metadata of Alibaba"),
    TCP("net-metadata-azure", 7, "metadata of Azure"),
    TCP("net-metadata-mapped", 18, "metadata as an IPv4-mapped address"),
    TCP("net-public-literal", 8, "an address that is not listed"),
    TCP("net-public6", 19, "an IPv6 address that is not listed"),
    TCP("net-v4-mapped", 9, "::ffff:127.0.0.1"),
    TCP("net-nat64", 10, "64:ff9b::7f00:1"),
    TCP("net-6to4", 11, "2002:7f00:1::"),
    TCP("net-zero-address", 12, "0.0.0.0"),
    TCP("net-zero-address6", 13, "::"),
    TCP("net-dns-tcp", 14, "a name server over TCP"),
    TCP("net-dot", 15, "DNS over TLS"),
    TCP("net-doh", 8, "DNS over HTTPS"),
    {"net-mptcp", "MPTCP to 127.0.0.1", mptcp, 0, 0, 0},
    {"net-mptcp6", "MPTCP to ::1", mptcp, 1, 0, 0},
    {"net-mptcp-host", "MPTCP to an address of the host", mptcp, 2, 0, 0},
    {"net-udp-localhost", "a datagram to 127.0.0.1", datagram, 0, 0, 0},
    {"net-udp-localhost6", "a datagram to ::1", datagram, 1, 0, 0},
    {"net-udp-sendto", "a datagram to an address of the host", datagram, 2, 0, 0},
    {"net-udp-connected", "a connected datagram socket", datagram, 102, 0, 0},
    {"net-quic", "a datagram to port 443 of a public address", datagram, 8, 0, 0},
    {"net-udp-metadata", "a datagram to metadata", datagram, 4, 0, 0},
    {"net-dns-direct", "asks a name server outside", resolve, 0, 0, 0},
    {"net-dns-tunnel", "asks the resolver for a name that carries data", ask, 16, 0, 0},
    {"net-dns-tunnel-txt", "the same as TXT", ask, 116, 0, 0},
    {"net-dns-localhost", "asks on 127.0.0.1", ask, 0, 0, 0},
    {"net-tfo-sendto", "TCP Fast Open by sendto", fast_open, 0, 0, 0},
    {"net-tfo-sendmsg", "TCP Fast Open by sendmsg", fast_open, 1, 0, 0},
    {"net-tfo-sendmmsg", "TCP Fast Open by sendmmsg", fast_open, 2, 0, 0},
    {"net-tfo-option", "TCP_FASTOPEN_CONNECT", fast_open, 3, 0, 0},
    {"net-tfo-option-high", "the same with filled upper halves", fast_open, 4, 0, 0},
    {"net-tfo-listen", "TCP_FASTOPEN", fast_open, 5, 0, 0},
    {"net-unix-docker", "the socket of docker", local_socket, 0, 0, 0},
    {"net-unix-docker-var", "the same in /var/run", local_socket, 4, 0, 0},
    {"net-unix-dbus", "the socket of D-Bus", local_socket, 1, 0, 0},
    {"net-unix-x11", "the socket of X11", local_socket, 2, 0, 0},
    {"net-unix-agent", "the socket of an ssh agent", local_socket, 3, 0, 0},
    {"net-unix-path", "a socket outside, by its path", local_socket, 5, 0, 0},
    {"net-unix-abstract", "an abstract socket outside", local_socket, 6, 0, 0},
    {"net-unix-control", "the socket of its supervisor", local_socket, 7, 0, 0},
    {"net-unix-proc-root", "a socket outside, through /proc/1/root", local_socket, 8, 0, 0},
    {"net-unix-list", "sees sockets outside in /proc/net/unix", abstract_datagram, 0, 0, 0},
};
PROBES(net_reach, table);
