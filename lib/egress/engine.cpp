// SPDX-License-Identifier: Apache-2.0
#include "egress/engine.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

namespace fabric::egress {

Fd Engine::accept(int listener, bool& more) {
  if (!spare) spare.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Fd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  more = fd.valid() || errno == ECONNABORTED || errno == EINTR;
  if (fd || (errno != EMFILE && errno != ENFILE) || !spare) return fd;
  spare.reset();
  reset_connection(Fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)));
  more = true;
  return {};
}

void reset_connection(Fd fd) {
  const linger hard{1, 0};
  if (fd) ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

}  // namespace fabric::egress
