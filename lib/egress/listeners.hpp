// SPDX-License-Identifier: Apache-2.0
// What is listened on inside one sandbox, and what each listener stands for: the resolver, the two
// proxies, names (made when the resolver first answers them), networks of rules. One thread, the
// loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "egress/dns_server.hpp"
#include "egress/link.hpp"
#include "egress/name_table.hpp"
#include "egress/rule_set.hpp"

namespace fabric::egress {

class Listeners {
 public:
  enum class Role : uint8_t { none, http_proxy, socks, name, network };
  struct Handlers {
    // `name`: of Role::name. The connection says its own address otherwise.
    std::function<void(Role role, const std::string& name, uint16_t port, Fd connection)> accepted;
    std::function<DnsServer::Found(const std::string& name)> known;  // what the rules say of it
    std::function<std::vector<uint16_t>(const std::string& name)> ports;
  };
  Listeners(Engine& engine, Handlers handlers);
  ~Listeners();
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  void use(Link* link) { link_ = link; }  // null: it has ended
  void made(uint32_t id, const wire::ListenAt& at, const std::string& note, Fd fd, int error);
  void replayed(const RuleSet& rules);
  void rules_changed(const RuleSet& rules);
  void sweep(MonoTime now);
  [[nodiscard]] size_t size() const { return listeners_.size(); }

 private:
  struct Listener {
    Role role = Role::none;
    std::string name;
    uint16_t port = 0;
    wire::ListenAt at{};
    Fd fd;  // invalid while it is awaited
  };
  struct Question {
    std::string name;
    DnsServer::Found found;
    DnsServer::Done done;
    MonoTime since;
  };
  void find(const std::string& name, DnsServer::Done done);
  bool ensure(NameEntry& entry);  // whether it was made before
  uint32_t make(Role role, const std::string& name, const wire::ListenAt& at);
  void make_networks(const RuleSet& rules);
  void restored(uint32_t id, const wire::ListenAt& at, const std::string& note, Fd fd);
  void serve(uint32_t id, Listener& listener);
  void accept(uint32_t id);
  void answer_waiting(const std::string& name);
  void close(uint32_t id);

  Engine& engine_;
  Handlers handlers_;
  Link* link_ = nullptr;
  DnsServer dns_;
  NameTable names_;
  std::map<uint32_t, Listener> listeners_;
  std::set<std::pair<std::string, uint16_t>> networks_;  // address listened on, port
  std::vector<Question> questions_;
  std::vector<Question> early_;  // came before what there was is known
  uint32_t next_id_ = wire::k_first_link_id;
  bool ready_ = false;  // what there was is known
};

}  // namespace fabric::egress
