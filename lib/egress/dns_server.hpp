// SPDX-License-Identifier: Apache-2.0
// The resolver inside a sandbox, over UDP and TCP. It knows only what rules allow, answers with
// addresses that stand for the names, and asks nobody: a query alone tells nothing to the outside.
// One thread, the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "egress/dns_message.hpp"
#include "egress/engine.hpp"

namespace fabric::egress {

class DnsServer {
 public:
  struct Found {
    bool known = false;   // otherwise no such name
    bool served = false;  // listeners are there
    Address v4, v6;
    std::string why;
  };
  using Done = std::function<void(const Found& found)>;
  using Find = std::function<void(const std::string& name, Done done)>;

  DnsServer(Engine& engine, Find find) : engine_(engine), find_(std::move(find)) {}
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  void serve_udp(Fd socket);
  void serve_tcp(Fd listener);
  void sweep(MonoTime now);

 private:
  using Reply = std::function<void(const std::string& message)>;
  struct Stream {
    Fd fd;
    std::string in, out;
    MonoTime active;
  };
  void datagrams();
  void accept();
  void read(uint64_t id);
  void write(uint64_t id);
  void drop(uint64_t id);
  void answer(std::string_view message, const Reply& reply);

  Engine& engine_;
  Find find_;
  Fd udp_, tcp_;
  std::map<uint64_t, Stream> streams_;
  uint64_t next_stream_ = 1;
  // Answers that come late must not reach a server that is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fabric::egress
