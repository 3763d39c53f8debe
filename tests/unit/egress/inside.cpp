// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/egress/inside.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "egress/address.hpp"

namespace fabric::egress {
namespace {

void address_of_lo(int fd, const char* name, const char* address, const char* mask) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  sockaddr_in in{};
  in.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &in.sin_addr);
  std::memcpy(&request.ifr_addr, &in, sizeof in);
  if (::ioctl(fd, SIOCSIFADDR, &request) != 0) std::abort();
  ::inet_pton(AF_INET, mask, &in.sin_addr);
  std::memcpy(&request.ifr_netmask, &in, sizeof in);
  // On loopback all addresses of a network are local.
  if (::ioctl(fd, SIOCSIFNETMASK, &request) != 0) std::abort();
}

void set_up_network() {
  const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) std::abort();
  address_of_lo(fd.get(), "lo:1", "198.18.0.1", "255.254.0.0");
  address_of_lo(fd.get(), "lo:2", "10.99.0.1", "255.255.0.0");
}

}  // namespace

Inside::Inside() {
  std::thread maker([this] {
    if (::unshare(CLONE_NEWNET) != 0) std::abort();
    set_up_network();
    network_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    const uint8_t loopback[4] = {127, 0, 0, 1};
    make(wire::k_link_resolver_udp, SOCK_DGRAM, wire::k_resolver_address, wire::k_resolver_port);
    make(wire::k_link_resolver_tcp, SOCK_STREAM, wire::k_resolver_address, wire::k_resolver_port);
    make(wire::k_link_http_proxy, SOCK_STREAM, loopback, wire::k_http_proxy_port);
    make(wire::k_link_socks, SOCK_STREAM, loopback, wire::k_socks_port);
  });
  maker.join();
}

Inside::~Inside() {
  if (link_) ::shutdown(link_.get(), SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
}

void Inside::make(uint32_t id, uint16_t type, const uint8_t* address, uint16_t port) {
  wire::LinkPacket packet{};
  packet.op = wire::k_link_listener;
  packet.id = id;
  packet.listen.family = AF_INET;
  packet.listen.type = type;
  packet.listen.port = port;
  std::memcpy(packet.listen.address, address, 4);
  fds_[id] = listen_at(packet.listen);
  packets_[id] = packet;
}

Fd Inside::new_link() {
  if (link_) ::shutdown(link_.get(), SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
  link_.reset(pair[0]);
  thread_ = std::thread([this] {
    ::setns(network_.get(), CLONE_NEWNET);
    serve(link_.get());
  });
  return Fd(pair[1]);
}

void Inside::run(const std::function<void()>& program) const {
  std::thread thread([&] {
    if (::setns(network_.get(), CLONE_NEWNET) != 0) std::abort();
    program();
  });
  thread.join();
}

std::map<uint32_t, wire::LinkPacket> Inside::listeners() {
  const std::lock_guard lock(mutex_);
  return packets_;
}

Fd Inside::listen_at(const wire::ListenAt& at) const {
  Fd fd(::socket(at.family, at.type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (at.family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
  }
  Address address;
  if (at.family == AF_INET) {
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(address.bytes.data() + 12, at.address, 4);
  } else {
    std::memcpy(address.bytes.data(), at.address, 16);
  }
  const SocketAddress to = socket_address(address, at.port);
  if (::bind(fd.get(), to.get(), to.size) != 0) return {};
  if (at.type == SOCK_STREAM && ::listen(fd.get(), 128) != 0) return {};
  return fd;
}

void send_packet(int link, const wire::LinkPacket& packet, int fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)]{};
  wire::LinkPacket copy = packet;
  iovec part{&copy, sizeof copy};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr) std::abort();
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ::sendmsg(link, &message, MSG_NOSIGNAL);
}

void Inside::serve(int link) {
  wire::LinkPacket packet{};
  while (::recv(link, &packet, sizeof packet, 0) == static_cast<ssize_t>(sizeof packet))
    answer(link, packet);
}

void Inside::answer(int link, const wire::LinkPacket& packet) {
  const std::lock_guard lock(mutex_);
  switch (packet.op) {
    case wire::k_link_replay: {
      for (const auto& [id, made] : packets_) send_packet(link, made, fds_[id].get());
      wire::LinkPacket done{};
      done.op = wire::k_link_replayed;
      return send_packet(link, done, -1);
    }
    case wire::k_link_listen: {
      wire::LinkPacket made = packet;
      made.op = wire::k_link_listener;
      Fd fd = forged_ ? std::move(forged_) : listen_at(packet.listen);
      if (!fd) made.error = errno;
      send_packet(link, made, fd.get());
      if (!fd) return;
      fds_[packet.id] = std::move(fd);
      packets_[packet.id] = made;
      return;
    }
    case wire::k_link_close:
      fds_.erase(packet.id);
      packets_.erase(packet.id);
      return;
    case wire::k_link_connect: {
      wire::LinkPacket made = packet;
      made.op = wire::k_link_connected;
      Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const SocketAddress to = socket_address(*parse_address("127.0.0.1"), packet.listen.port);
      ::connect(fd.get(), to.get(), to.size);
      return send_packet(link, made, fd.get());
    }
    default:
      std::abort();
  }
}

Fd Inside::connect(const std::string& address, uint16_t port) {
  const Address parsed = *parse_address(address);
  Fd fd(::socket(parsed.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const SocketAddress to = socket_address(parsed, port);
  if (::connect(fd.get(), to.get(), to.size) != 0) return {};
  return fd;
}

Inside::Answer Inside::ask(const std::string& name, uint16_t type, bool tcp) {
  std::string query("\x12\x34\x01\0\0\1\0\0\0\0\0\0", 12);
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('.', at), name.size());
    query += static_cast<char>(end - at);
    query.append(name, at, end - at);
    at = end + 1;
  }
  query += std::string("\0", 1) + static_cast<char>(type >> 8) + static_cast<char>(type) +
           std::string("\0\1", 2);
  const Fd fd(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  const SocketAddress to = socket_address(*parse_address("127.0.0.53"), 53);
  if (::connect(fd.get(), to.get(), to.size) != 0) return {};
  if (tcp) query = std::string("\0", 1) + static_cast<char>(query.size()) + query;
  ::send(fd.get(), query.data(), query.size(), 0);
  pollfd wait{fd.get(), POLLIN, 0};
  char buffer[2048];
  if (::poll(&wait, 1, 10000) != 1) return {};
  const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
  std::string reply(buffer, n > 0 ? static_cast<size_t>(n) : 0);
  if (tcp && reply.size() > 2) reply.erase(0, 2);
  if (reply.size() < 12) return {};
  Answer out;
  out.size = reply.size();
  out.code = reply[3] & 0xf;
  if (reply[7] == 0) return out;
  Address address;
  if (type == 28) {
    std::memcpy(address.bytes.data(), reply.data() + reply.size() - 16, 16);
  } else {
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(address.bytes.data() + 12, reply.data() + reply.size() - 4, 4);
  }
  out.address = address.text();
  return out;
}

std::string converse(const Fd& fd, const std::string& send) {
  ::send(fd.get(), send.data(), send.size(), MSG_NOSIGNAL);
  char buffer[65536];
  const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
  return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : "";
}

std::string read_to_end(const Fd& fd, int* error) {
  std::string out;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0)
    out.append(buffer, static_cast<size_t>(n));
  if (error != nullptr) *error = n < 0 ? errno : 0;
  return out;
}

}  // namespace fabric::egress
