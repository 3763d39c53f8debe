// SPDX-License-Identifier: Apache-2.0
#include "run.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "confine.hpp"
#include "egress/engine.hpp"
#include "egress/server.hpp"
#include "egress/tls_context.hpp"
#include "model/egress_wire.hpp"

namespace fabric::egress {
namespace {

constexpr const char* k_help =
    "usage: fabric-egress --owner UID [--user UID] [--hosts FILE] [--authorities FILE]\n"
    "                     [--private]\n"
    "\n"
    "Passes connections of sandboxes on to the hosts that their rules allow. `fabric up` starts\n"
    "it, with the listening socket of .fabric/run/egress.sock as descriptor 3, and `fabric "
    "sandbox\n"
    "run`, with a connection.\n"
    "\n"
    "  --owner UID         the user whose supervisors it obeys\n"
    "  --user UID          the user and group that it becomes (only as root)\n"
    "  --hosts FILE        names that DNS does not know, as in hosts(5), asked before all others\n"
    "  --authorities FILE  certificates that injections trust, in place of the machine's\n"
    "  --private           descriptor 3 is a connection, the only one; we end when it does\n";

// Whether descriptor 3 is the socket that was promised.
bool is_socket(int fd, bool listening) {
  int listens = -1, type = 0;
  socklen_t size = sizeof listens;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
         ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
         listens == (listening ? 1 : 0);
}

Status serve(const ProgramOptions& options) {
  Fd socket(wire::k_egress_listen_fd);
  if (!is_socket(socket.get(), !options.alone))
    return fail(
        ErrorCode::usage,
        options.alone ? "descriptor 3 is no connection" : "descriptor 3 is no listening socket",
        "`fabric` starts this program");
  ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(socket.get(), F_SETFL, O_RDWR | O_NONBLOCK);
  TRY_STATUS(give_up_rights(options));
  const std::unique_ptr<EventLoop> loop = TRY(EventLoop::make(system_clock()));
  Engine engine(*loop, system_clock(), {options.hosts, "/etc/hosts"});
  std::unique_ptr<TlsContext> tls;
  engine.open_tls = [&] {
    Result<std::unique_ptr<TlsContext>> made = TlsContext::make(options.authorities);
    if (!made) std::fprintf(stderr, "fabric-egress: %s\n", made.error().message.c_str());
    if (made) engine.tls = (tls = std::move(*made)).get();
  };
  TRY_STATUS(give_up_calls());
  Server server(engine, {options.owner, Duration::seconds(60)});
  TRY_STATUS(options.alone ? server.serve(std::move(socket)) : server.listen(std::move(socket)));
  return loop->run();
}

}  // namespace

int run(const ProgramOptions& options) {
  if (options.help || options.version) {
    std::fputs(options.help ? k_help : "fabric-egress " FABRIC_VERSION "\n", stdout);
    return 0;
  }
  ::close_range(wire::k_egress_listen_fd + 1, ~0U, 0);  // of our starter's
  ::clearenv();  // nothing in it may change how names are resolved or whom TLS trusts
  std::signal(SIGPIPE, SIG_IGN);
  const Status done = serve(options);
  if (done) return 0;
  std::fprintf(stderr, "fabric-egress: error: %s\n", done.error().message.c_str());
  if (!done.error().hint.empty()) std::fprintf(stderr, "%s\n", done.error().hint.c_str());
  return static_cast<int>(done.error().code);
}

}  // namespace fabric::egress
