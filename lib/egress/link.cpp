// SPDX-License-Identifier: Apache-2.0
#include "egress/link.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "egress/address.hpp"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace fabric::egress {
namespace {

constexpr size_t k_unsent = 16384;
constexpr int k_packets_a_round = 64;

int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

uint64_t network_of(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

Address address_in(const wire::ListenAt& at) {
  Address out;
  if (at.family == AF_INET) {
    out.bytes[10] = out.bytes[11] = 0xff;
    std::memcpy(out.bytes.data() + 12, at.address, 4);
  } else {
    std::memcpy(out.bytes.data(), at.address, 16);
  }
  return out;
}

bool bound_to(int fd, const wire::ListenAt& at) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return false;
  uint16_t port = 0;
  const std::optional<Address> address = address_of(storage, &port);
  return address && storage.ss_family == at.family && *address == address_in(at) && port == at.port;
}

}  // namespace

Link::Link(EventLoop& loop, Fd fd, Handlers handlers)
    : loop_(loop), fd_(std::move(fd)), handlers_(std::move(handlers)) {}

Link::~Link() {
  if (fd_) loop_.forget(fd_.get());
}

Status Link::start() {
  const Fd mine(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  own_network_ = network_of(mine.get());
  if (own_network_ == 0)
    return fail(ErrorCode::unavailable, "this kernel does not tell networks apart",
                "egress needs Linux 5.14 or newer (SO_NETNS_COOKIE)");
  if (option(fd_.get(), SO_TYPE) != SOCK_SEQPACKET || option(fd_.get(), SO_DOMAIN) != AF_UNIX)
    return fail(ErrorCode::failed, "the link is not a SOCK_SEQPACKET socket");
  ::fcntl(fd_.get(), F_SETFL, O_RDWR | O_NONBLOCK);
  TRY_STATUS(loop_.watch(fd_.get(), EPOLLIN, [this](uint32_t events) {
    if ((events & EPOLLOUT) != 0 && !ended_) {
      std::deque<wire::LinkPacket> queue;
      queue.swap(unsent_);
      loop_.change(fd_.get(), EPOLLIN);
      for (const wire::LinkPacket& packet : queue) send(packet);
    }
    if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) readable();
  }));
  wire::LinkPacket packet{};
  packet.op = wire::k_link_replay;
  send(packet);
  return {};
}

void Link::listen(uint32_t id, const wire::ListenAt& at, const std::string& note) {
  wire::LinkPacket packet{};
  packet.op = wire::k_link_listen;
  packet.id = id;
  packet.listen = at;
  std::memcpy(packet.note, note.data(), std::min<size_t>(note.size(), wire::k_max_link_note - 1));
  send(packet);
}

void Link::close(uint32_t id) {
  wire::LinkPacket packet{};
  packet.op = wire::k_link_close;
  packet.id = id;
  send(packet);
}

void Link::connect(uint32_t id, const wire::ListenAt& at) {
  wire::LinkPacket packet{};
  packet.op = wire::k_link_connect;
  packet.id = id;
  packet.listen = at;
  send(packet);
}

void Link::send(const wire::LinkPacket& packet) {
  if (ended_) return;
  if (unsent_.empty()) {
    const ssize_t n = ::send(fd_.get(), &packet, sizeof packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n == static_cast<ssize_t>(sizeof packet)) return;
    if (errno != EAGAIN && errno != EINTR) return end(std::strerror(errno));
    loop_.change(fd_.get(), EPOLLIN | EPOLLOUT);
  }
  if (unsent_.size() >= k_unsent) return end("it does not read");
  unsent_.push_back(packet);
}

void Link::readable() {
  for (int i = 0; i < k_packets_a_round && !ended_; ++i)
    if (!receive()) return;
}

bool Link::receive() {
  wire::LinkPacket packet{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{&packet, sizeof packet};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  Fd fd;
  if (n > 0) {
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int))) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(header), sizeof received);
      fd.reset(received);
    }
  }
  if (n <= 0) {
    end(n == 0 ? "the sandbox has ended" : std::strerror(errno));
    return false;
  }
  if (n != static_cast<ssize_t>(sizeof packet) ||
      (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    end("a packet of the wrong size");
    return false;
  }
  packet.note[sizeof packet.note - 1] = '\0';
  handle(packet, std::move(fd));
  return !ended_;
}

std::string Link::check(int fd, const wire::ListenAt& at, bool listening) {
  const int type = option(fd, SO_TYPE);
  const int protocol = option(fd, SO_PROTOCOL);
  if (option(fd, SO_DOMAIN) != at.family || type != at.type ||
      protocol != (type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP))
    return "a descriptor of another kind than was asked for";
  if (listening && type == SOCK_STREAM && option(fd, SO_ACCEPTCONN) != 1)
    return "a socket that does not listen";
  if (listening && !bound_to(fd, at)) return "a listener with another address";
  const uint64_t network = network_of(fd);
  if (network_ == 0) network_ = network;
  if (network == 0 || network == own_network_ || network != network_)
    return "a socket of another network";
  ::fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
  return "";
}

void Link::handle(const wire::LinkPacket& packet, Fd fd) {
  switch (packet.op) {
    case wire::k_link_listener: {
      const std::string wrong = fd ? check(fd.get(), packet.listen, true) : "";
      if (!wrong.empty()) return end(wrong);
      const int error = fd ? 0 : packet.error != 0 ? packet.error : EPROTO;
      return handlers_.listener(packet.id, packet.listen, packet.note, std::move(fd), error);
    }
    case wire::k_link_connected: {
      const wire::ListenAt tcp{AF_INET, SOCK_STREAM, 0, 0, {}};
      const wire::ListenAt tcp6{AF_INET6, SOCK_STREAM, 0, 0, {}};
      if (fd && !check(fd.get(), tcp, false).empty() && !check(fd.get(), tcp6, false).empty())
        return end("a socket that is no connection of the sandbox");
      const int error = fd ? 0 : packet.error != 0 ? packet.error : EPROTO;
      return handlers_.connected(packet.id, std::move(fd), error);
    }
    case wire::k_link_replayed:
      return handlers_.replayed();
    default:
      return end("an unknown operation");
  }
}

void Link::end(const std::string& why) {
  if (ended_) return;
  ended_ = true;
  loop_.forget(fd_.get());
  unsent_.clear();
  handlers_.closed(why);
}

}  // namespace fabric::egress
