// SPDX-License-Identifier: Apache-2.0
// From a target to a connection: the name is resolved outside, each address is judged, and exactly
// what was judged is dialled, one after the other. One thread, the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "egress/host.hpp"

namespace fabric::egress {

class Dial : public std::enable_shared_from_this<Dial> {
 public:
  struct Failure {
    int error = 0;         // errno of the last address; 0 when there was none to try
    bool refused = false;  // a rule forbids every address; it was reported
    std::string why;
    std::string rule;
  };
  using Done = std::function<void(Fd server, const Failure& failure)>;

  Dial(Engine& engine, Host& host, Target target, Decision decision)
      : engine_(engine), host_(host), target_(std::move(target)), decision_(std::move(decision)) {}
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

  void start(Done done);
  void sweep(MonoTime now);
  void cancel();
  [[nodiscard]] const Address& address() const { return current_; }

 private:
  void resolved(const std::vector<Address>& addresses, const std::string& error);
  void next();
  void writable();
  void finish(Fd server, const Failure& failure);

  Engine& engine_;
  Host& host_;
  Target target_;
  Decision decision_;
  Done done_;
  std::vector<Address> left_;  // last first
  Address current_;
  Fd socket_;
  MonoTime deadline_{};
  Failure last_;
};

}  // namespace fabric::egress
