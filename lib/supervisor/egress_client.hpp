// SPDX-License-Identifier: Apache-2.0
// The supervisor's side of the egress process: which sandboxes it is to carry, told again to every
// new one. In the I/O thread.
//
// The process outlives us, so the first thing it says is what it carries; after it died another one
// is started and every sandbox gets a new link. Until then connections of sandboxes wait in the
// backlog of listeners that their init keeps.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "base/fd.hpp"
#include "isolation/egress_messages.hpp"

namespace fabric {

class EgressClient {
 public:
  struct Hooks {
    std::function<Status()> start;  // a process that listens at the socket's path
    // What an InjectRule of this agent puts into requests.
    std::function<Result<Fd>(const std::string& agent, const std::string& rule)> secret;
    std::function<void(const EgressRefused&)> refused;
    std::function<void(const EgressUsage&)> usage;
    std::function<void(const EgressReached&)> reached = {};
  };
  // Gives the init one end of a new link and returns the other.
  using NewLink = std::function<Result<Fd>()>;
  using Done = std::function<void(Status)>;

  EgressClient(EventLoop& loop, std::string socket_path, Hooks hooks);
  ~EgressClient();
  EgressClient(const EgressClient&) = delete;
  EgressClient& operator=(const EgressClient&) = delete;

  // Speaks to one that lives already; starts none.
  void find_living();
  // `link` of a sandbox that was just made; without one, of one that an earlier supervisor made,
  // the process may carry it already. `done` is called once, with a failure at the latest after a
  // while; it is tried on all the same until detach().
  void attach(EgressAttachment attachment, Fd link, NewLink new_link, Done done);
  void detach(const std::string& sandbox);
  // Flows that the rules no longer allow are cut.
  void set_rules(const std::string& sandbox, std::vector<std::string> rules);
  // What it has said already, before the loop comes to it.
  void read_now();
  // Everything that lives was adopted: what the process carries beyond that is detached, now or as
  // soon as it has said what it carries.
  void forget_unknown();
  // The process ends when it carries nothing; its socket is removed.
  void shut_down();

 private:
  enum class State : uint8_t { down, greeting, up };
  struct Wanted {
    EgressAttachment attachment;
    Fd link;
    NewLink new_link;
    Done done;
    bool told = false;  // on this connection
    EventLoop::TimerId patience = 0;
  };
  struct Packet {
    std::string text;
    std::vector<Fd> descriptors;
  };

  void connect();
  bool connect_to_living();
  void retry_later();
  void lose(const std::string& why);
  void on_event(uint32_t events);
  bool receive();
  void handle(EgressMessage message);
  void greeted(const EgressHello& hello);
  void attached(const EgressAttached& attached);
  void tell(Wanted& wanted);
  // Appends a descriptor for each rule. Of one that was attached before, what cannot be had again
  // is left out and logged.
  Status add_descriptors(const Wanted& wanted, const std::vector<std::string>& rules,
                         const std::function<Result<Fd>(const std::string&)>& open,
                         std::vector<Fd>& descriptors, std::vector<int>& indices);
  void finish(Wanted& wanted, Status status);
  void send(std::string text, std::vector<Fd> descriptors = {});
  void flush();

  EventLoop& loop_;
  const std::string path_;
  const Hooks hooks_;
  State state_ = State::down;
  Fd socket_;
  std::map<std::string, Wanted> wanted_;
  std::vector<std::string> carried_;  // as it said when we connected
  std::deque<Packet> unsent_;
  std::vector<char> buffer_;
  uint64_t to_acknowledge_ = 0;
  EventLoop::TimerId retry_ = 0;
  int failures_ = 0;
  bool all_known_ = false;  // wanted_ holds everything that lives
  bool ending_ = false;
};

}  // namespace fabric
