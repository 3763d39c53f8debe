// SPDX-License-Identifier: Apache-2.0
// The egress process's side of its talk with the supervisor (model/egress_wire.hpp, part 2). It
// outlives supervisors: connections go on without one, reports are kept for the next. One thread,
// the loop's.
#pragma once

#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "egress/engine.hpp"
#include "egress/sandbox.hpp"

namespace fabric::egress {

class Server {
 public:
  struct Options {
    uid_t owner = 0;  // whose supervisors are listened to
    // Without a sandbox and a supervisor the process ends after this long.
    Duration linger = Duration::seconds(60);
  };
  Server(Engine& engine, Options options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Status listen(Fd listener);  // for supervisors, one at a time
  // One connection and no other: the loop ends with it.
  Status serve(Fd connection);
  [[nodiscard]] size_t sandboxes() const { return sandboxes_.size(); }

 private:
  void start_timers();
  void accept();
  Status take(Fd connection);
  void readable();
  bool receive();
  void handle(std::string_view text, std::vector<Fd> fds);
  void attach(const json::Value& message, std::vector<Fd> fds);
  void detach(const std::string& name);
  void over(const std::string& name, uint64_t attachment, const std::string& why);
  bool send(const std::string& packet);
  void answer(std::string packet);
  void disconnect();
  void sweep();
  void refill();
  void end_if_idle();
  void leave();

  Engine& engine_;
  Fd listener_, supervisor_;
  Options options_;
  std::map<std::string, std::shared_ptr<Sandbox>> sandboxes_;
  // Which attachment of a sandbox it is: the end of an older one's link is not that of this one.
  std::map<std::string, uint64_t> attachments_;
  uint64_t next_attachment_ = 1;
  std::deque<std::string> answers_;  // not sent yet; before reports
  EventLoop::TimerId sweep_timer_ = 0, refill_timer_ = 0;
  int sweeps_ = 0;
  MonoTime idle_since_{};
  bool shutdown_ = false;
  bool alone_ = false;  // serve() was called
  MonoTime leave_until_{};
};

}  // namespace fabric::egress
