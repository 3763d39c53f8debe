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
    "\n"
    "Passes connections of sandboxes on to the hosts that their rules allow. `fabric up` starts\n"
    "it, with the listening socket of .fabric/run/egress.sock as descriptor 3.\n"
    "\n"
    "  --owner UID         the user whose supervisors it obeys\n"
    "  --user UID          the user and group that it becomes (only as root)\n"
    "  --hosts FILE        names that DNS does not know, as in hosts(5), asked before all others\n"
    "  --authorities FILE  certificates that injections trust, in place of the machine's\n";

Status serve(const ProgramOptions& options) {
  Fd listener(wire::k_egress_listen_fd);
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(listener.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens != 1)
    return fail(ErrorCode::usage, "descriptor 3 is no listening socket",
                "`fabric up` starts this program");
  ::fcntl(listener.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(listener.get(), F_SETFL, O_RDWR | O_NONBLOCK);
  TRY_STATUS(give_up_rights(options));
  Result<std::unique_ptr<TlsContext>> tls = TlsContext::make(options.authorities);
  if (!tls) std::fprintf(stderr, "fabric-egress: %s\n", tls.error().message.c_str());
  const std::unique_ptr<EventLoop> loop = TRY(EventLoop::make(system_clock()));
  Engine engine(*loop, system_clock(), {options.hosts, "/etc/hosts"});
  engine.tls = tls ? tls->get() : nullptr;
  TRY_STATUS(give_up_calls());
  Server server(engine, std::move(listener), {options.owner, Duration::seconds(60)});
  TRY_STATUS(server.start());
  return loop->run();
}

}  // namespace

int run(const ProgramOptions& options) {
  if (options.help || options.version) {
    std::fputs(options.help ? k_help : "fabric-egress " FABRIC_VERSION "\n", stdout);
    return 0;
  }
  ::clearenv();  // nothing in it may change how names are resolved or whom TLS trusts
  std::signal(SIGPIPE, SIG_IGN);
  const Status done = serve(options);
  if (done) return 0;
  std::fprintf(stderr, "fabric-egress: error: %s\n", done.error().message.c_str());
  if (!done.error().hint.empty()) std::fprintf(stderr, "%s\n", done.error().hint.c_str());
  return static_cast<int>(done.error().code);
}

}  // namespace fabric::egress
