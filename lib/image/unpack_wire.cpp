// SPDX-License-Identifier: Apache-2.0
#include "image/unpack_wire.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace fabric {

namespace {

constexpr size_t k_most_descriptors = 2;
constexpr size_t k_control = CMSG_SPACE(k_most_descriptors * sizeof(int));

}  // namespace

Status send_unpack_packet(int socket, const std::string& text,
                          const std::vector<int>& descriptors) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, k_control> control{};
  const size_t bytes = descriptors.size() * sizeof(int);
  if (descriptors.size() > k_most_descriptors || text.size() > k_largest_unpack_packet)
    return fail(ErrorCode::failed, "a message of fabric-unpack is too long");
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(rights), descriptors.data(), bytes);
  }
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
    return fail_errno(errno, "talking to fabric-unpack");
  return {};
}

Result<UnpackPacket> receive_unpack_packet(int socket) {
  UnpackPacket packet;
  packet.text.resize(k_largest_unpack_packet);
  iovec part{packet.text.data(), packet.text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, k_control> control{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno(errno, "talking to fabric-unpack");
  packet.text.resize(static_cast<size_t>(got));
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= c->cmsg_len; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      packet.descriptors.emplace_back(fd);
    }
  }
  return packet;
}

}  // namespace fabric
