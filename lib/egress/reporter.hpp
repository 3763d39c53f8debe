// SPDX-License-Identifier: Apache-2.0
// What the supervisor is told: refusals, and bytes by host. Each message has a number and is kept
// until it is acknowledged, over restarts of the supervisor. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"

namespace fabric::egress {

struct Refusal {
  std::string kind;  // name, connect, sni, host_header, address, rate, publish
  std::string host, address;
  uint16_t port = 0;
  std::string rule, allow, why;
};

// Of one host of one sandbox. Flows add to it directly.
struct HostMeter {
  uint64_t in = 0, out = 0, connections = 0;  // since the last report
};

class Reporter {
 public:
  using Send = std::function<bool(const std::string& packet)>;  // false: not now
  explicit Reporter(const Clock& clock) : clock_(clock) {}

  void refused(const std::string& sandbox, const Refusal& refusal);
  void reached(const std::string& sandbox, const std::string& host, uint16_t port, bool is_private);
  std::shared_ptr<HostMeter> meter(const std::string& sandbox, const std::string& host);
  void forget(const std::string& sandbox);  // after a last tick()

  void tick();              // every second
  void connect(Send send);  // a supervisor is there: all that it did not acknowledge is sent again
  void disconnect() { send_ = nullptr; }
  void flush();  // after a send that failed
  void acknowledge(uint64_t sequence);

 private:
  struct Message {
    uint64_t sequence;
    std::string packet;
  };
  struct Counted {
    Refusal refusal;
    uint64_t more = 0;  // since the first was sent
    WallTime last_at;
  };
  void add_refusal(const std::string& sandbox, const Refusal& refusal, uint64_t count, WallTime at);
  void add_usage(const std::string& sandbox, const std::string& host, HostMeter& meter);
  void add(uint64_t sequence, std::string packet);

  const Clock& clock_;
  Send send_;
  uint64_t next_ = 1;
  std::deque<Message> kept_;
  size_t sent_ = 0;  // of kept_
  std::unordered_map<std::string, std::map<std::string, Counted>> counted_;
  std::unordered_map<std::string, std::map<std::string, std::shared_ptr<HostMeter>>> meters_;
};

}  // namespace fabric::egress
