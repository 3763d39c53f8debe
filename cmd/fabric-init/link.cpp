// SPDX-License-Identifier: Apache-2.0
// The link to the egress process (model/egress_wire.hpp): we keep the listeners of the sandbox, it
// accepts from duplicates of them. That process may be dead, slow or hostile: nothing here waits
// for it, one answer is under way at most, and what it cannot take costs no memory.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "build.hpp"
#include "init.hpp"
#include "model/egress_wire.hpp"
#include "sys.hpp"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

namespace fabric::init {

namespace {

using wire::LinkPacket;
using wire::ListenAt;

struct Kept {
  uint32_t id;
  int fd;
  ListenAt at;
  char note[wire::k_max_link_note];
};
Kept kept[wire::k_max_link_listeners];  // untouched pages cost nothing
uint32_t kept_count;

int link_fd = -1;
bool answering;  // `answer` was not taken yet
LinkPacket answer;
int answer_fd = -1;
bool answer_fd_is_ours;  // to be closed once it was sent
bool replaying;
uint32_t replay_next;
bool writable_wanted;

union Address {
  sockaddr any;
  sockaddr_in four;
  sockaddr_in6 six;
};

bool address_of(const ListenAt& at, Address& address, socklen_t& size) {
  memset(&address, 0, sizeof address);
  if (at.family == AF_INET) {
    address.four.sin_family = AF_INET;
    address.four.sin_port = htons(at.port);
    memcpy(&address.four.sin_addr, at.address, 4);
    size = sizeof address.four;
    return true;
  }
  address.six.sin6_family = AF_INET6;
  address.six.sin6_port = htons(at.port);
  memcpy(&address.six.sin6_addr, at.address, 16);
  size = sizeof address.six;
  return at.family == AF_INET6;
}

// Tasks need descriptors of ours too: a greedy peer gets no more than what leaves enough of them.
bool too_many(int fd) {
  rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) < 0 || static_cast<uint64_t>(fd) + 512 > limit.rlim_cur;
}

// The descriptor, or -1 with errno.
int listen_at(const ListenAt& at) {
  Address address;
  socklen_t size;
  if ((at.type != SOCK_STREAM && at.type != SOCK_DGRAM) || !address_of(at, address, size)) {
    errno = EINVAL;
    return -1;
  }
  int fd = socket(at.family, at.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int one = 1;
  // A listener of one address beside one of all addresses (of a network) on the same port.
  bool ok =
      at.type != SOCK_STREAM || (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                                 setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0);
  if (ok && at.family == AF_INET6)
    ok = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0;
  if (ok && (at.flags & wire::k_listen_free) != 0)
    ok = at.family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof one) == 0
                               : setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one) == 0;
  ok = ok && bind(fd, &address.any, size) == 0 &&
       (at.type != SOCK_STREAM || listen(fd, wire::k_link_backlog) == 0);
  if (ok && too_many(fd)) {
    ok = false;
    errno = EMFILE;
  }
  if (ok) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

Kept* keep(uint32_t id, const ListenAt& at, const char* note, int fd) {
  Kept& entry = kept[kept_count++];
  entry.id = id;
  entry.fd = fd;
  entry.at = at;
  memcpy(entry.note, note, sizeof entry.note);
  return &entry;
}

void stop_waiting() {
  if (answer_fd >= 0 && answer_fd_is_ours) close(answer_fd);
  answer_fd = -1;
  answering = false;
}

void lose_link() {
  stop_waiting();
  replaying = false;
  close(link_fd);
  link_fd = -1;
}

enum class Sent { yes, later, lost };

Sent send_answer() {
  iovec part{&answer, sizeof answer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (answer_fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &answer_fd, sizeof answer_fd);
  }
  for (;;) {
    if (sendmsg(link_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return Sent::yes;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? Sent::later : Sent::lost;
  }
}

void prepare(uint16_t op, uint32_t id, const ListenAt& at, int fd, int error) {
  memset(&answer, 0, sizeof answer);
  answer.op = op;
  answer.id = id;
  answer.listen = at;
  answer.error = fd >= 0 ? 0 : error;
  answer_fd = fd;
  answer_fd_is_ours = false;
  answering = true;
}

void answer_listen(const LinkPacket& request) {
  for (uint32_t i = 0; i < kept_count; ++i)
    if (kept[i].id == request.id)
      return prepare(wire::k_link_listener, request.id, request.listen, -1, EEXIST);
  int fd = -1;
  errno = EMFILE;
  if (request.listen.type != SOCK_STREAM)
    errno = EINVAL;
  else if (kept_count < wire::k_max_link_listeners)
    fd = listen_at(request.listen);
  const int error = errno;
  if (fd >= 0) keep(request.id, request.listen, request.note, fd);
  prepare(wire::k_link_listener, request.id, request.listen, fd, error);
}

// Only the sandbox's own loopback, so that this is no way to anything else.
void answer_connect(const LinkPacket& request) {
  ListenAt at = request.listen;
  memset(at.address, 0, sizeof at.address);
  if (at.family == AF_INET6) {
    at.address[15] = 1;
  } else {
    at.family = AF_INET;
    at.address[0] = 127;
    at.address[3] = 1;
  }
  Address address;
  socklen_t size;
  address_of(at, address, size);
  int fd = socket(at.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int error = errno;
  if (fd >= 0 && connect(fd, &address.any, size) < 0 && errno != EINPROGRESS) {
    error = errno;
    close(fd);
    fd = -1;
  }
  prepare(wire::k_link_connected, request.id, at, fd, error);
  answer_fd_is_ours = true;
}

void close_listener(uint32_t id) {
  if (id < wire::k_first_link_id) return;
  for (uint32_t i = 0; i < kept_count; ++i) {
    if (kept[i].id != id) continue;
    // The duplicate at the other side would go on listening.
    if (kept[i].at.type == SOCK_STREAM) shutdown(kept[i].fd, SHUT_RDWR);
    close(kept[i].fd);
    kept[i] = kept[--kept_count];
    return;
  }
}

void begin_replay() {
  replaying = true;
  replay_next = 0;
}

// The next answer of a replay.
void prepare_replay() {
  if (replay_next >= kept_count) {
    replaying = false;
    return prepare(wire::k_link_replayed, 0, {}, -1, 0);
  }
  const Kept& entry = kept[replay_next++];
  prepare(wire::k_link_listener, entry.id, entry.at, entry.fd, 0);
  memcpy(answer.note, entry.note, sizeof answer.note);
}

// False: nothing to read now, or the link is lost.
bool read_request() {
  LinkPacket request;
  ssize_t got;
  do {
    got = recv(link_fd, &request, sizeof request, MSG_DONTWAIT | MSG_TRUNC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return false;
  if (got != sizeof request) {
    lose_link();
    return false;
  }
  request.note[sizeof request.note - 1] = 0;
  switch (request.op) {
    case wire::k_link_replay:
      begin_replay();
      return true;
    case wire::k_link_listen:
      answer_listen(request);
      return true;
    case wire::k_link_close:
      close_listener(request.id);
      return true;
    case wire::k_link_connect:
      answer_connect(request);
      return true;
    default:
      lose_link();
      return false;
  }
}

void want(Init& init, bool writable) {
  if (writable == writable_wanted || link_fd < 0) return;
  writable_wanted = writable;
  // Nothing is read before what was asked is answered.
  epoll_event event{writable ? uint32_t{EPOLLOUT} : uint32_t{EPOLLIN}, {}};
  event.data.u64 = uint64_t{static_cast<uint32_t>(Source::link)} << 32;
  epoll_ctl(init.epoll, EPOLL_CTL_MOD, link_fd, &event);
}

constexpr ListenAt at_birth(uint16_t type, uint16_t port, uint8_t last) {
  return {AF_INET, type, port, 0, {127, 0, 0, last}};
}

}  // namespace

void make_listeners() {
  const uint8_t resolver = wire::k_resolver_address[3];
  const struct {
    uint32_t id;
    ListenAt at;
  } listeners[] = {
      {wire::k_link_resolver_udp, at_birth(SOCK_DGRAM, wire::k_resolver_port, resolver)},
      {wire::k_link_resolver_tcp, at_birth(SOCK_STREAM, wire::k_resolver_port, resolver)},
      {wire::k_link_http_proxy, at_birth(SOCK_STREAM, wire::k_http_proxy_port, 1)},
      {wire::k_link_socks, at_birth(SOCK_STREAM, wire::k_socks_port, 1)},
  };
  static const char no_note[wire::k_max_link_note] = {};
  for (const auto& listener : listeners) {
    int fd = listen_at(listener.at);
    if (fd < 0) refuse("listening for the egress process", "", errno);
    keep(listener.id, listener.at, no_note, fd);
  }
}

void adopt_link(Init& init, int fd) {
  if (link_fd >= 0) lose_link();
  link_fd = fd;
  writable_wanted = false;
  watch(init, fd, Source::link, 0, EPOLLIN);
}

void serve_link(Init& init) {
  // A few at a time, so that a talkative peer does not keep the tasks waiting.
  for (int i = 0; i < 16 && link_fd >= 0; ++i) {
    if (!answering && replaying) prepare_replay();
    if (!answering) {
      if (!read_request()) break;
      continue;
    }
    Sent sent = send_answer();
    if (sent == Sent::later) return want(init, true);
    stop_waiting();
    if (sent == Sent::lost) lose_link();
  }
  if (link_fd >= 0) want(init, answering || replaying);
}

}  // namespace fabric::init
