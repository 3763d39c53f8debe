// SPDX-License-Identifier: Apache-2.0
// The server side of the control socket, in the I/O thread. The socket is the owner's: its
// directory is 0700, a peer of another uid is turned away (SO_PEERCRED), and so is one that runs
// inside an agent's cgroup (an agent at isolation level `none` has the owner's uid).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/event_loop.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "supervisor/control_protocol.hpp"

namespace fabric {

class ControlServer {
 public:
  // Answers one call, now or later. Answers to a connection that is gone are dropped.
  class Responder {
   public:
    void result(std::string_view json) const;
    void error(const Error& error) const;
    // Whether the connection still stood when it was last written to.
    [[nodiscard]] bool heard() const { return server_->connections_.contains(connection_); }

   private:
    friend class ControlServer;
    ControlServer* server_ = nullptr;
    uint64_t connection_ = 0;
    int64_t call_ = 0;
  };
  using Handler = std::function<void(const control::Call&, Responder)>;

  // Binds `path` (longer than 108 bytes is fine). `agent_cgroup`: peers below it are refused.
  static Result<std::unique_ptr<ControlServer>> listen(EventLoop& loop, const std::string& path,
                                                       std::string agent_cgroup, Handler handler);
  ~ControlServer();

  // No more calls; what was answered is still written.
  void close_listener();
  [[nodiscard]] bool all_written() const;

 private:
  struct Connection {
    Fd socket;
    std::string in;
    size_t consumed = 0;  // of `in`: lines that were dispatched
    size_t scanned = 0;   // of `in`: holds no line end beyond `consumed`
    std::string out;
    uint32_t watched = 1;  // epoll events; EPOLLIN at first
    uint32_t unanswered = 0;
    bool input_closed = false;
    bool dispatching = false;  // its lines are being handled: it stays
  };

  ControlServer(EventLoop& loop, std::string agent_cgroup, Handler handler)
      : loop_(loop), agent_cgroup_(std::move(agent_cgroup)), handler_(std::move(handler)) {}
  void accept_all();
  [[nodiscard]] bool admit(int socket) const;
  void serve(uint64_t id, uint32_t events);
  void pause_accepting();
  static void read_some(Connection& connection);
  void dispatch_lines(uint64_t id);
  void send(uint64_t id, std::string message);
  void flush(uint64_t id);
  void settle(uint64_t id);
  void drop(uint64_t id);

  EventLoop& loop_;
  std::string agent_cgroup_;
  Handler handler_;
  std::string path_;
  Fd listener_;
  uint64_t next_ = 1;
  std::unordered_map<uint64_t, Connection> connections_;
};

}  // namespace fabric
