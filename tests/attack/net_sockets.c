/* SPDX-License-Identifier: Apache-2.0
 * Kinds of sockets that no rule about addresses understands, and the network itself. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "attack.h"

#define KIND(family, type, protocol) ((long)(family) << 32 | (long)(type) << 16 | (protocol))
static enum state make_socket(long kind) {
  return expect_failure(socket((int)(kind >> 32), (int)(kind >> 16 & 0xffff), (int)(kind & 0xffff)),
                        "socket");
}

static enum state raw_with_upper_half(long which) {
  return expect_failure(
      syscall(SYS_socket, 0x700000000 | AF_INET, 0x500000000 | (which ? SOCK_DGRAM : SOCK_RAW),
              which ? 0x100000001 : 0x1000000ff),
      "socket");
}

static enum state other_families(long unused) {
  (void)unused;
  for (int family = 0; family < 64; ++family)
    for (int type = 1; type <= 5; ++type) {
      if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
        continue;
      int fd = socket(family, type, 0);
      if (fd >= 0) return through("family %d, type %d", family, type);
    }
  snprintf(detail, sizeof detail, "none");
  return BLOCKED;
}

static enum state socket_pair_families(long unused) {
  (void)unused;
  int ends[2];
  for (int family = 2; family < 64; ++family)
    if (socketpair(family, SOCK_STREAM, 0, ends) == 0) return through("family %d", family);
  return blocked("socketpair");
}

static enum state set_option(long option) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  const int level = option == 19 ? IPPROTO_IP : option == TCP_ULP ? IPPROTO_TCP : SOL_SOCKET;
  if (option == SO_BINDTODEVICE)
    return expect_failure(setsockopt(fd, level, (int)option, "lo", 2), "setsockopt");
  if (option == TCP_ULP)
    return expect_refusal(setsockopt(fd, level, (int)option, "tls", 3), "setsockopt");
  return expect_failure(setsockopt(fd, level, (int)option, &one, sizeof one), "setsockopt");
}

static enum state configure(long which) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {0};
  strcpy(request.ifr_name, "lo");
  if (which == 0) {
    ((struct sockaddr_in*)&request.ifr_addr)->sin_family = AF_INET;
    ((struct sockaddr_in*)&request.ifr_addr)->sin_addr.s_addr = htonl(0x7f000001);
    return expect_failure(ioctl(fd, SIOCSIFADDR, &request), "SIOCSIFADDR");
  }
  if (which == 1) {
    ioctl(fd, SIOCGIFFLAGS, &request);
    request.ifr_flags |= IFF_PROMISC;
    return expect_failure(ioctl(fd, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
  }
  struct {
    struct nlmsghdr head;
    union {
      struct rtmsg route;
      struct ifinfomsg link;
      struct ifaddrmsg address;
    };
    char rest[64];
  } message = {.head = {.nlmsg_len = NLMSG_LENGTH(32),
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE}};
  static const uint16_t types[] = {RTM_NEWROUTE, RTM_NEWLINK, RTM_NEWADDR, RTM_DELADDR};
  message.head.nlmsg_type = types[which - 2];
  message.route.rtm_family = AF_INET;
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (netlink < 0) return blocked("netlink");
  if (send(netlink, &message, message.head.nlmsg_len, 0) < 0) return blocked("send");
  char answer[1024];
  ssize_t got = recv(netlink, answer, sizeof answer, 0);
  struct nlmsghdr* head = (struct nlmsghdr*)answer;
  if (got < (ssize_t)sizeof *head || head->nlmsg_type != NLMSG_ERROR) return blocked("no answer");
  int error = ((struct nlmsgerr*)NLMSG_DATA(head))->error;
  errno = -error;
  return expect_refusal(error ? -1 : 0, "netlink");
}

static enum state interfaces(long unused) {
  (void)unused;
  struct if_nameindex* names = if_nameindex();
  if (!names) return blocked("if_nameindex");
  for (int i = 0; names[i].if_name; ++i)
    if (strcmp(names[i].if_name, "lo") != 0) return through("interface %s", names[i].if_name);
  snprintf(detail, sizeof detail, "only lo");
  return BLOCKED;
}

/* Addresses of the laboratory's loopback stand for those of the host. */
static enum state host_addresses(long unused) {
  (void)unused;
  static char text[65536];
  long size = slurp("/proc/net/fib_trie", text, sizeof text - 1);
  if (size < 0) return blocked("/proc/net/fib_trie");
  text[size] = 0;
  return strstr(text, "10.20.30.40") ? through("addresses of the host")
                                     : (snprintf(detail, sizeof detail, "only its own"), BLOCKED);
}

#define NET(name, family, type, protocol, what) \
  { name, what, make_socket, KIND(family, type, protocol), 0, 0 }
static const struct probe table[] = {
    NET("net-raw4-icmp", AF_INET, SOCK_RAW, 1, "raw ICMP"),
    NET("net-raw4", AF_INET, SOCK_RAW, 255, "raw IPv4"),
    NET("net-raw6-icmp", AF_INET6, SOCK_RAW, 58, "raw ICMPv6"),
    NET("net-raw6", AF_INET6, SOCK_RAW, 255, "raw IPv6"),
    NET("net-raw-cloexec", AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 255, "raw with flags"),
    NET("net-ping", AF_INET, SOCK_DGRAM, 1, "a ping socket"),
    NET("net-ping6", AF_INET6, SOCK_DGRAM, 58, "a ping socket of IPv6"),
    NET("net-packet-raw", 17, SOCK_RAW, 0, "AF_PACKET"),
    NET("net-packet-dgram", 17, SOCK_DGRAM, 0, "AF_PACKET, datagrams"),
    NET("net-vsock", 40, SOCK_STREAM, 0, "AF_VSOCK"),
    NET("net-vsock-dgram", 40, SOCK_DGRAM, 0, "AF_VSOCK, datagrams"),
    NET("net-alg", 38, SOCK_SEQPACKET, 0, "AF_ALG"),
    NET("net-netlink-audit", 16, SOCK_RAW, 9, "netlink: audit"),
    NET("net-netlink-netfilter", 16, SOCK_RAW, 12, "netlink: netfilter"),
    NET("net-netlink-generic", 16, SOCK_RAW, 16, "netlink: generic"),
    NET("net-netlink-uevent", 16, SOCK_DGRAM, 15, "netlink: uevents"),
    NET("net-netlink-diag", 16, SOCK_RAW, 4, "netlink: sock_diag"),
    NET("net-netlink-connector", 16, SOCK_DGRAM, 11, "netlink: connector"),
    NET("net-netlink-xfrm", 16, SOCK_RAW, 6, "netlink: IPsec"),
    NET("net-sctp", AF_INET, SOCK_STREAM, 132, "SCTP"),
    NET("net-udplite", AF_INET, SOCK_DGRAM, 136, "UDP-Lite"),
    NET("net-smc", 43, SOCK_STREAM, 0, "SMC"),
    NET("net-bluetooth", 31, SOCK_RAW, 1, "Bluetooth"),
    NET("net-can", 29, SOCK_RAW, 1, "CAN"),
    NET("net-xdp", 44, SOCK_RAW, 0, "XDP"),
    NET("net-tipc", 30, SOCK_SEQPACKET, 0, "TIPC"),
    NET("net-key", 15, SOCK_RAW, 2, "AF_KEY"),
    NET("net-mptcp-socket", AF_INET, SOCK_STREAM, 262, "an MPTCP socket"),
    NET("net-mptcp-socket6", AF_INET6, SOCK_STREAM, 262, "an MPTCP socket of IPv6"),
    {"net-raw-upper-half", "raw, with filled upper halves", raw_with_upper_half, 0, 0, 0},
    {"net-ping-upper-half", "a ping socket, with filled upper halves", raw_with_upper_half, 1, 0,
     0},
    {"net-other-families", "every family of sockets but four", other_families, 0, 0, 0},
    {"net-socketpair", "pairs of other families", socket_pair_families, 0, 0, 0},
    {"net-mark", "SO_MARK", set_option, SO_MARK, 0, 0},
    {"net-transparent", "IP_TRANSPARENT", set_option, 19, 0, 0},
    {"net-receive-force", "SO_RCVBUFFORCE", set_option, SO_RCVBUFFORCE, 0, 0},
    {"net-ulp", "TCP_ULP", set_option, TCP_ULP, 0, 0},
    {"net-lo-address", "changes an address", configure, 0, 0, 0},
    {"net-lo-flags", "changes an interface", configure, 1, 0, 0},
    {"net-route", "makes a route", configure, 2, 0, 0},
    {"net-link", "makes an interface", configure, 3, 0, 0},
    {"net-address", "makes an address", configure, 4, 0, 0},
    {"net-interfaces", "sees an interface besides lo", interfaces, 0, 0, 0},
    {"net-addresses", "sees addresses of the host", host_addresses, 0, 0, 0},
};
PROBES(net_sockets, table);
