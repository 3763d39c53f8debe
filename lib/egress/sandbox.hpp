// SPDX-License-Identifier: Apache-2.0
// All of one sandbox: its rules, its listeners, its connections, its share of the rate. When its
// link ends, it is over: the network of a dead sandbox must not be kept. One thread, the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "egress/host.hpp"
#include "egress/link.hpp"
#include "egress/listeners.hpp"
#include "egress/published.hpp"

namespace fabric::egress {

struct Attachment {
  std::string sandbox, agent;
  int64_t generation = 0;
  std::vector<std::string> rules;
  std::vector<std::pair<PublishRule, Fd>> published;
  std::vector<Injection> injections;
  uint64_t rate = 0;  // bytes a second, both directions together; 0: no limit
  uint32_t connections = 256;
  bool learn = false;  // tell where it connects to
  Fd link;
};

class Sandbox final : public Host, public std::enable_shared_from_this<Sandbox> {
 public:
  // `over`: the link has ended, for this reason.
  static Result<std::shared_ptr<Sandbox>> attach(Engine& engine, Attachment attachment,
                                                 std::function<void(const std::string&)> over);
  Sandbox(Engine& engine, Attachment attachment, RuleSet rules,
          std::function<void(const std::string&)> over);
  ~Sandbox() override;

  Status set_rules(const std::vector<std::string>& texts);
  void sweep(MonoTime now);
  bool refill(MonoTime now);  // false: there is no limit
  void end();                 // resets all connections
  bool leaving();  // the programs are gone; false: nothing of them is on its way any more
  [[nodiscard]] const std::string& name() const { return attachment_.sandbox; }
  [[nodiscard]] int64_t generation() const { return attachment_.generation; }
  [[nodiscard]] size_t connections() const { return connections_.size(); }

  [[nodiscard]] const RuleSet& rules() const override { return rules_; }
  [[nodiscard]] uint64_t number() const override { return number_; }
  void refused(const Refusal& refusal) override;
  void reached(const std::string& host, uint16_t port, bool is_private) override;
  std::shared_ptr<HostMeter> meter(const std::string& host) override;
  size_t allowance(Connection& connection, size_t wanted) override;
  void spent(size_t bytes) override;
  [[nodiscard]] const Injection* injection(const std::string& name) const override;
  void hand_to_injection(const Injection& injection, Fd client, std::string bytes) override;
  void finished(Connection& connection) override;

 private:
  Status start();
  void accepted(Listeners::Role role, const std::string& name, uint16_t port, Fd connection);
  void keep(std::shared_ptr<Connection> connection);
  bool has_room();
  DnsServer::Found known(const std::string& name);
  std::vector<uint16_t> ports(const std::string& name);

  Engine& engine_;
  Attachment attachment_;
  RuleSet rules_;
  std::function<void(const std::string&)> over_;
  uint64_t number_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<Published> published_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::unordered_set<std::string> reached_;  // was told already; only while it learns
  std::unordered_set<Connection*> parked_;   // wait for rate
  int64_t tokens_ = 0;
  MonoTime refilled_{};
};

}  // namespace fabric::egress
