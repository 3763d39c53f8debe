// SPDX-License-Identifier: Apache-2.0
#include "isolation/control_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fabric {

namespace {

struct Place {
  Fd directory;
  std::string name;
  sockaddr_un address{};
};

Result<Place> place_of(const std::string& path) {
  size_t slash = path.rfind('/');
  Place place;
  place.name = slash == std::string::npos ? path : path.substr(slash + 1);
  std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  place.directory = TRY(open_file(directory, O_PATH | O_DIRECTORY));
  place.address.sun_family = AF_UNIX;
  std::string alias = "/proc/self/fd/" + std::to_string(place.directory.get()) + "/" + place.name;
  if (place.name.empty() || alias.size() >= sizeof place.address.sun_path)
    return fail(ErrorCode::usage, path + ": not a usable name for a socket");
  std::memcpy(place.address.sun_path, alias.c_str(), alias.size() + 1);
  return place;
}

Result<Fd> make_socket(int flags) {
  int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return fail_errno(errno, "socket");
  return Fd(fd);
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Result<Fd> listen_at(const std::string& path) {
  Place place = TRY(place_of(path));
  Fd socket = TRY(make_socket(SOCK_NONBLOCK));
  ::fchmod(socket.get(), 0600);  // before bind: the file never has another mode
  int bound = ::bind(socket.get(), generic(place.address), sizeof place.address);
  if (bound != 0 && errno == EADDRINUSE) {
    ::unlinkat(place.directory.get(), place.name.c_str(), 0);
    bound = ::bind(socket.get(), generic(place.address), sizeof place.address);
  }
  if (bound != 0 || ::listen(socket.get(), 8) != 0) return fail_errno(errno, path);
  return socket;
}

Result<Fd> connect_to(const std::string& path) {
  Place place = TRY(place_of(path));
  Fd socket = TRY(make_socket(0));
  if (::connect(socket.get(), generic(place.address), sizeof place.address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED)
      return fail(ErrorCode::not_found, path + ": nobody listens");
    return fail_errno(errno, path);
  }
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  return socket;
}

Status remove_socket(const std::string& path) {
  if (path.empty() || ::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return fail_errno(errno, path);
}

Result<std::pair<Fd, Fd>> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail_errno(errno, "socketpair");
  return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Status send_with_descriptors(const Fd& socket, const std::string& packet,
                             const std::vector<int>& descriptors) {
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  std::vector<cmsghdr> control;
  if (!descriptors.empty()) {
    const size_t bytes = descriptors.size() * sizeof(int);
    control.resize(CMSG_SPACE(bytes) / sizeof(cmsghdr) + 1);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* rights = control.data();
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(rights + 1, descriptors.data(), bytes);
  }
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0)
    return fail_errno(errno, "sending to fabric-init");
  return {};
}

}  // namespace fabric
