// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control_server.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "supervisor/unix_socket.hpp"
#include "telemetry/log.hpp"

namespace fabric {

void ControlServer::Responder::result(std::string_view json) const {
  server_->send(connection_, control::encode_result(call_, json));
}

void ControlServer::Responder::error(const Error& error) const {
  server_->send(connection_, control::encode_error(call_, error));
}

Result<std::unique_ptr<ControlServer>> ControlServer::listen(EventLoop& loop,
                                                             const std::string& path,
                                                             std::string agent_cgroup,
                                                             Handler handler) {
  std::unique_ptr<ControlServer> server(
      new ControlServer(loop, std::move(agent_cgroup), std::move(handler)));
  server->path_ = path;
  server->listener_ = TRY(listen_unix(path));
  ::fcntl(server->listener_.get(), F_SETFL, O_NONBLOCK);
  ControlServer* self = server.get();
  TRY_STATUS(
      loop.watch(server->listener_.get(), EPOLLIN, [self](uint32_t) { self->accept_all(); }));
  return server;
}

ControlServer::~ControlServer() {
  close_listener();
  while (!connections_.empty()) drop(connections_.begin()->first);
}

void ControlServer::close_listener() {
  if (!listener_) return;
  loop_.forget(listener_.get());
  ::unlink(path_.c_str());
  listener_.reset();
}

bool ControlServer::all_written() const {
  for (const auto& [id, connection] : connections_)
    if (!connection.out.empty()) return false;
  return true;
}

bool ControlServer::admit(int socket) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid != ::geteuid() && peer.uid != 0) return false;
  Result<std::string> cgroups = read_file("/proc/" + std::to_string(peer.pid) + "/cgroup", 65536);
  return !cgroups || cgroups->find("/" + agent_cgroup_ + "/") == std::string::npos;
}

void ControlServer::accept_all() {
  for (;;) {
    Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    if (!admit(socket.get())) {
      log::warn("control connection refused", {{"why", "peer is not the owner, or is an agent"}});
      continue;
    }
    uint64_t id = next_++;
    int fd = socket.get();
    connections_[id].socket = std::move(socket);
    Status watched = loop_.watch(fd, EPOLLIN, [this, id](uint32_t events) { serve(id, events); });
    if (!watched) connections_.erase(id);
  }
}

void ControlServer::serve(uint64_t id, uint32_t events) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if ((events & EPOLLOUT) != 0) flush(id);
  found = connections_.find(id);
  if (found == connections_.end() || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  if (!read_some(found->second)) {
    found->second.input_closed = true;
    // A client that only shut its sending side still gets its answers.
    if (found->second.unanswered == 0 || (events & (EPOLLHUP | EPOLLERR)) != 0) return drop(id);
    loop_.change(found->second.socket.get(), found->second.watching_write ? EPOLLOUT : 0U);
  }
  dispatch_lines(id);
}

bool ControlServer::read_some(Connection& connection) {
  char buffer[65536];
  for (int round = 0; round < 64; ++round) {
    ssize_t n = ::read(connection.socket.get(), buffer, sizeof buffer);
    if (n > 0) {
      connection.in.append(buffer, static_cast<size_t>(n));
      if (connection.in.size() > control::k_max_line) return false;
      if (static_cast<size_t>(n) < sizeof buffer) return true;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    return n < 0 && errno == EAGAIN;
  }
  return true;
}

void ControlServer::dispatch_lines(uint64_t id) {
  for (;;) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    size_t end = connection.in.find('\n', connection.scanned);
    connection.scanned = end == std::string::npos ? connection.in.size() : 0;
    if (end == std::string::npos) return;
    std::string line = connection.in.substr(0, end);
    connection.in.erase(0, end + 1);
    Result<control::Call> call = control::decode_call(line);
    connection.unanswered += 1;
    if (!call) {
      send(id, control::encode_error(0, call.error()));
      continue;
    }
    Responder responder;
    responder.server_ = this;
    responder.connection_ = id;
    responder.call_ = call->id;
    handler_(*call, responder);
  }
}

void ControlServer::send(uint64_t id, std::string message) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (found->second.unanswered > 0) found->second.unanswered -= 1;
  found->second.out += message;
  flush(id);
}

void ControlServer::flush(uint64_t id) {
  Connection& connection = connections_.at(id);
  while (!connection.out.empty()) {
    ssize_t n =
        ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) return drop(id);
    if (n < 0) break;
    connection.out.erase(0, static_cast<size_t>(n));
  }
  bool want = !connection.out.empty();
  if (!want && connection.input_closed && connection.unanswered == 0) return drop(id);
  if (want == connection.watching_write) return;
  connection.watching_write = want;
  uint32_t in = connection.input_closed ? 0U : static_cast<uint32_t>(EPOLLIN);
  loop_.change(connection.socket.get(), in | (want ? static_cast<uint32_t>(EPOLLOUT) : 0U));
}

void ControlServer::drop(uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  loop_.forget(found->second.socket.get());
  connections_.erase(found);
}

}  // namespace fabric
