// SPDX-License-Identifier: Apache-2.0
#include "supervisor/unix_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace fabric {
namespace {

struct Address {
  Fd directory;
  sockaddr_un address{};
};

Result<Address> address_of(const std::string& path) {
  std::filesystem::path full(path);
  Address result;
  result.directory = TRY(open_file(full.parent_path().string(), O_PATH | O_DIRECTORY));
  std::string shortened =
      "/proc/self/fd/" + std::to_string(result.directory.get()) + "/" + full.filename().string();
  if (shortened.size() >= sizeof result.address.sun_path)
    return fail(ErrorCode::failed, path + ": socket name too long");
  result.address.sun_family = AF_UNIX;
  std::memcpy(result.address.sun_path, shortened.c_str(), shortened.size() + 1);
  return result;
}

Result<Fd> stream_socket() {
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_errno(errno, "socket");
  return Fd(fd);
}

}  // namespace

Result<Fd> listen_unix(const std::string& path) {
  Address address = TRY(address_of(path));
  Fd socket = TRY(stream_socket());
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, path);
  // The file mode comes from the mode of the socket before bind (unix(7)): never open to others.
  if (::fchmod(socket.get(), 0600) != 0) return fail_errno(errno, path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.address),
             sizeof address.address) != 0)
    return fail_errno(errno, path);
  if (::listen(socket.get(), 1024) != 0) return fail_errno(errno, path);
  return socket;
}

Result<Fd> connect_unix(const std::string& path, Connecting how) {
  Result<Address> address = address_of(path);
  if (!address) return Fd();
  Fd socket = TRY(stream_socket());
  if (how == Connecting::at_once) ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address),
                   sizeof address->address) != 0) {
    if (errno == EINTR) continue;
    if (errno == ECONNREFUSED || errno == ENOENT || errno == EAGAIN) return Fd();
    return fail_errno(errno, path);
  }
  return socket;
}

}  // namespace fabric
