// SPDX-License-Identifier: Apache-2.0
// The network of a sandbox with egress: still only lo, but addresses that stand for the world
// outside are local to it (rtnetlink(7): a route of type local makes the kernel take a whole
// network for its own), and all else is refused at once instead of being unreachable.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "build.hpp"
#include "model/egress_wire.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

// linux/netlink.h, linux/rtnetlink.h: musl brings no headers of the kernel.
struct MessageHead {
  uint32_t size;
  uint16_t type, flags;
  uint32_t sequence, port;
};
struct RouteHead {
  uint8_t family, destination_length, source_length, tos, table, protocol, scope, type;
  uint32_t flags;
};
struct Attribute {
  uint16_t size, type;
};
constexpr uint16_t k_new_address = 20, k_new_route = 24, k_error = 2;
constexpr uint16_t k_request_ack_create_excl = 1 | 4 | 0x400 | 0x200;
constexpr uint16_t k_destination = 1, k_output_interface = 4;
constexpr uint16_t k_address = 1, k_local_address = 2;
constexpr uint8_t k_table_main = 254, k_table_local = 255;
constexpr uint8_t k_scope_universe = 0, k_scope_host = 254;
constexpr uint8_t k_type_local = 2, k_type_prohibit = 8;
constexpr uint32_t k_loopback = 1;  // lo is the first interface of a network namespace

struct AddressHead {
  uint8_t family, prefix, flags, scope;
  uint32_t interface;
};

struct Request {
  MessageHead head{sizeof head, 0, k_request_ack_create_excl, 0, 0};
  uint8_t body[64] = {};
};

void append(Request& request, const void* bytes, size_t size) {
  memcpy(reinterpret_cast<uint8_t*>(&request) + request.head.size, bytes, size);
  request.head.size += static_cast<uint32_t>((size + 3) & ~size_t{3});
}

void add_attribute(Request& request, uint16_t type, const void* value, size_t size) {
  const Attribute attribute{static_cast<uint16_t>(sizeof attribute + size), type};
  append(request, &attribute, sizeof attribute);
  append(request, value, size);
}

// Returns errno.
int ask(int netlink, const Request& request) {
  if (send(netlink, &request, request.head.size, 0) < 0) return errno;
  struct {
    MessageHead head;
    int32_t error;
    uint8_t rest[512];
  } answer;
  ssize_t got = recv(netlink, &answer, sizeof answer, 0);
  if (got < static_cast<ssize_t>(sizeof answer.head + 4) || answer.head.type != k_error)
    return EPROTO;
  return answer.error == -EEXIST ? 0 : -answer.error;
}

size_t size_of(int family) { return family == AF_INET ? 4 : 16; }

int add_route(int netlink, uint8_t type, int family, const uint8_t* address, unsigned prefix) {
  const bool local = type == k_type_local;
  RouteHead route{};
  route.family = static_cast<uint8_t>(family);
  route.destination_length = static_cast<uint8_t>(prefix);
  route.table = local ? k_table_local : k_table_main;
  route.protocol = 4;  // RTPROT_STATIC
  route.scope = local ? k_scope_host : k_scope_universe;
  route.type = type;
  Request request;
  request.head.type = k_new_route;
  append(request, &route, sizeof route);
  if (prefix != 0) add_attribute(request, k_destination, address, size_of(family));
  if (local || family == AF_INET6)
    add_attribute(request, k_output_interface, &k_loopback, sizeof k_loopback);
  return ask(netlink, request);
}

// Programs that ask with AI_ADDRCONFIG (getaddrinfo(3)) get no addresses of a family of which the
// machine has none but loopback.
int add_own_address(int netlink, int family, const uint8_t* address) {
  const AddressHead own{static_cast<uint8_t>(family), static_cast<uint8_t>(8 * size_of(family)), 0,
                        k_scope_universe, k_loopback};
  Request request;
  request.head.type = k_new_address;
  append(request, &own, sizeof own);
  add_attribute(request, k_local_address, address, size_of(family));
  add_attribute(request, k_address, address, size_of(family));
  return ask(netlink, request);
}

// "ADDRESS/PREFIX", separated by spaces.
void add_routes(int netlink, const char* list, bool ipv6) {
  while (*list != 0) {
    char text[64];
    size_t size = strcspn(list, " ");
    char* slash = nullptr;
    if (size < sizeof text) {
      memcpy(text, list, size);
      text[size] = 0;
      slash = strchr(text, '/');
    }
    if (slash == nullptr) refuse("reading the spec", "network", EPROTO);
    *slash = 0;
    const int prefix = atoi(slash + 1);
    const int family = strchr(text, ':') != nullptr ? AF_INET6 : AF_INET;
    uint8_t address[16];
    if (inet_pton(family, text, address) != 1 || prefix < 0 ||
        prefix > (family == AF_INET ? 32 : 128))
      refuse("reading the spec", "network", EPROTO);
    if (family == AF_INET || ipv6) {
      int error = add_route(netlink, k_type_local, family, address, static_cast<unsigned>(prefix));
      if (error != 0) refuse("adding a route", text, error);
    }
    list += size;
    while (*list == ' ') ++list;
  }
}

bool write_zero(int directory, const char* path) {
  int fd = openat(directory, path, O_WRONLY | O_CLOEXEC);
  bool written = fd >= 0 && write(fd, "0", 1) == 1;
  if (fd >= 0) close(fd);
  return written;
}

}  // namespace

// /proc/sys/net shows the network namespace of who looks (proc_sys(5)), whatever mount of proc it
// is. Where the host's is read-only (in a container) a new one is asked.
void open_low_ports() {
  if (write_zero(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start")) return;
  int fs = fsopen("proc", 1);
  int mount = -1;
  if (fs >= 0 && fsconfig(fs, k_fsconfig_create, nullptr, nullptr, 0) == 0)
    mount = fsmount(fs, 1, k_mount_nosuid | k_mount_nodev | k_mount_noexec);
  if (mount < 0 || !write_zero(mount, "sys/net/ipv4/ip_unprivileged_port_start"))
    refuse("opening ports below 1024", "", errno);
  close(mount);
  close(fs);
}

void set_routes(const Spec& spec) {
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (netlink < 0) refuse("opening rtnetlink", "", errno);
  int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool ipv6 = six >= 0;
  if (ipv6) close(six);
  int error =
      add_route(netlink, k_type_local, AF_INET, wire::k_fake_network4, wire::k_fake_prefix4);
  if (error == 0) error = add_own_address(netlink, AF_INET, wire::k_own_address4);
  if (error == 0) error = add_route(netlink, k_type_prohibit, AF_INET, nullptr, 0);
  if (error != 0) refuse("adding a route", "IPv4", error);
  if (ipv6) {
    error = add_route(netlink, k_type_local, AF_INET6, wire::k_fake_network6, wire::k_fake_prefix6);
    if (error == 0) error = add_own_address(netlink, AF_INET6, wire::k_own_address6);
    if (error == 0) error = add_route(netlink, k_type_prohibit, AF_INET6, nullptr, 0);
    // The kernel can be told to do without IPv6 on lo (disable_ipv6): then nothing leads out there.
    if (error != 0 && error != EACCES && error != ENODEV && error != EINVAL)
      refuse("adding a route", "IPv6", error);
  }
  add_routes(netlink, spec.string(spec.head->networks), ipv6 && error == 0);
  close(netlink);
}

}  // namespace fabric::init
