// SPDX-License-Identifier: Apache-2.0
// What a flow asks of the sandbox that it belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "egress/engine.hpp"
#include "egress/rule_set.hpp"
#include "egress/target.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric::egress {

// A header that is put into requests on their way out. The secret never is in a log or message.
struct Injection {
  InjectRule rule;
  std::string secret;
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual void sweep(MonoTime now) = 0;  // about twice a second: deadlines
  virtual void rules_changed() = 0;
  virtual void resume() = 0;  // there is rate again
  virtual void abort() = 0;   // both sides see an error
  // The program is gone. False: all that it said has been passed on, or nothing can be done any
  // more.
  virtual bool leaving() { return false; }
};

class Host {
 public:
  virtual ~Host() = default;
  [[nodiscard]] virtual const RuleSet& rules() const = 0;
  [[nodiscard]] virtual uint64_t number() const = 0;  // unique in the process
  virtual void refused(const Refusal& refusal) = 0;
  // A connection to it stands.
  virtual void reached(const std::string& host, uint16_t port, bool is_private) = 0;
  virtual std::shared_ptr<HostMeter> meter(const std::string& host) = 0;
  // How much may be moved now, at most `wanted`; with 0 the connection is resumed later.
  virtual size_t allowance(Connection& connection, size_t wanted) = 0;
  virtual void spent(size_t bytes) = 0;
  // The injection that is served under this name, or null.
  [[nodiscard]] virtual const Injection* injection(const std::string& name) const = 0;
  // From here on `client`, which has sent `bytes`, is the business of an injection.
  virtual void hand_to_injection(const Injection& injection, Fd client, std::string bytes) = 0;
  virtual void finished(Connection& connection) = 0;
};

}  // namespace fabric::egress
