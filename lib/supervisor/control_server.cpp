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
namespace {

constexpr size_t k_max_connections = 4096;
constexpr size_t k_max_unread = size_t{1} << 20;  // bytes of answers

}  // namespace

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
  return cgroups && cgroups->find("/" + agent_cgroup_ + "/") == std::string::npos;
}

void ControlServer::accept_all() {
  for (;;) {
    if (connections_.size() >= k_max_connections) return pause_accepting();
    Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!socket) return errno == EAGAIN ? void() : pause_accepting();
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

// Out of descriptors: those that wait would wake us again and again.
void ControlServer::pause_accepting() {
  [[maybe_unused]] Status changed = loop_.change(listener_.get(), 0);
  loop_.after(Duration::millis(100), [this] {
    if (listener_) [[maybe_unused]]
      Status again = loop_.change(listener_.get(), EPOLLIN);
  });
}

void ControlServer::serve(uint64_t id, uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush(id);
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if ((events & (EPOLLIN | EPOLLHUP)) != 0 && !found->second.input_closed) read_some(found->second);
  dispatch_lines(id);
  // Hung up in both directions: what it asked for is done, but nobody hears the answer.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return drop(id);
  settle(id);
}

void ControlServer::read_some(Connection& connection) {
  char buffer[65536];
  for (int round = 0; round < 64; ++round) {
    ssize_t n = ::read(connection.socket.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      connection.input_closed = true;
      return;
    }
    connection.in.append(buffer, static_cast<size_t>(n));
    if (static_cast<size_t>(n) < sizeof buffer) return;
  }
}

void ControlServer::dispatch_lines(uint64_t id) {
  for (;;) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    connection.dispatching = true;
    size_t end = connection.in.find('\n', connection.scanned);
    if (end == std::string::npos) {
      connection.in.erase(0, connection.consumed);
      connection.consumed = 0;
      connection.scanned = connection.in.size();
      connection.dispatching = false;
      break;
    }
    std::string_view line(connection.in.data() + connection.consumed, end - connection.consumed);
    connection.consumed = connection.scanned = end + 1;
    connection.unanswered += 1;
    Result<control::Call> call = control::decode_call(line);
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
  Connection& connection = connections_.at(id);
  if (connection.in.size() <= control::k_max_line) return;
  connection.in.clear();
  connection.scanned = 0;
  connection.input_closed = true;
  connection.unanswered += 1;
  send(id, control::encode_error(0, {ErrorCode::usage, "control message too long", ""}));
}

void ControlServer::send(uint64_t id, std::string message) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (found->second.unanswered > 0) found->second.unanswered -= 1;
  found->second.out += message;
  flush(id);
  settle(id);
}

void ControlServer::flush(uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  size_t sent = 0;
  while (sent < connection.out.size()) {
    ssize_t n = ::send(connection.socket.get(), connection.out.data() + sent,
                       connection.out.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) return drop(id);
    if (n < 0) break;
    sent += static_cast<size_t>(n);
  }
  connection.out.erase(0, sent);
}

// What to wait for next; nothing more, and the connection goes.
void ControlServer::settle(uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end() || found->second.dispatching) return;
  Connection& connection = found->second;
  const bool owes = connection.unanswered > 0 || !connection.out.empty();
  if (connection.input_closed && !owes) return drop(id);
  // One that does not read its answers is not heard further.
  const bool listen = !connection.input_closed && connection.out.size() < k_max_unread;
  uint32_t wanted = (listen ? static_cast<uint32_t>(EPOLLIN) : 0U) |
                    (connection.out.empty() ? 0U : static_cast<uint32_t>(EPOLLOUT));
  if (wanted == connection.watched) return;
  connection.watched = wanted;
  [[maybe_unused]] Status changed = loop_.change(connection.socket.get(), wanted);
}

void ControlServer::drop(uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  loop_.forget(found->second.socket.get());
  connections_.erase(found);
}

}  // namespace fabric
