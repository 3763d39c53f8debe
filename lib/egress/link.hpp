// SPDX-License-Identifier: Apache-2.0
// Our end of the link to the init of a sandbox (model/egress_wire.hpp). The init may be in the
// hands of an agent: each descriptor that comes is checked to be the listener that was asked for,
// in the network of that sandbox and in no other. One thread, the loop's.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "base/event_loop.hpp"
#include "base/fd.hpp"
#include "model/egress_wire.hpp"

namespace fabric::egress {

class Link {
 public:
  struct Handlers {
    // `fd` is invalid when the init could not listen; `error` says why.
    std::function<void(uint32_t id, const wire::ListenAt& at, const std::string& note, Fd fd,
                       int error)>
        listener;
    std::function<void()> replayed;
    std::function<void(uint32_t id, Fd fd, int error)> connected;
    std::function<void(const std::string& why)> closed;  // once; the link is of no use any more
  };
  Link(EventLoop& loop, Fd fd, Handlers handlers);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  Status start();  // asks for what there is
  void listen(uint32_t id, const wire::ListenAt& at, const std::string& note);
  void close(uint32_t id);
  void connect(uint32_t id, const wire::ListenAt& at);

 private:
  void send(const wire::LinkPacket& packet);
  void readable();
  bool receive();
  void handle(const wire::LinkPacket& packet, Fd fd);
  // "": it is what `at` says, and inside.
  std::string check(int fd, const wire::ListenAt& at, bool listening);
  void end(const std::string& why);

  EventLoop& loop_;
  Fd fd_;
  Handlers handlers_;
  std::deque<wire::LinkPacket> unsent_;
  uint64_t network_ = 0;  // SO_NETNS_COOKIE of the sandbox, from the first descriptor
  uint64_t own_network_ = 0;
  bool ended_ = false;
};

}  // namespace fabric::egress
