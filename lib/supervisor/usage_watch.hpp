// SPDX-License-Identifier: Apache-2.0
// Live resource use, asked of the supervisor without ever waiting for it: a display answers keys
// and signals while a supervisor is stopped, starts or hangs. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"

namespace fabric {

// Of an agent's sandbox.
struct AgentUsage {
  uint64_t memory_bytes = 0;
  double cpu_seconds = 0;
  uint32_t pids = 0;
  WallTime heartbeat_at;  // of a worker: when it last said anything
};
// By agent id; agents without a sandbox are absent.
using UsageList = std::vector<std::pair<std::string, AgentUsage>>;

class UsageWatch {
 public:
  explicit UsageWatch(std::string control_socket) : path_(std::move(control_socket)) {}

  // Does nothing while an answer is awaited, or when nobody listens.
  void ask();
  // Readable when take() has something to read; -1 when no answer is awaited.
  [[nodiscard]] int fd() const { return asked_ ? socket_.get() : -1; }
  // The answer, once it is there whole. Empty when the supervisor went away instead.
  std::optional<UsageList> take();

 private:
  bool send(const std::string& message) const;
  void give_up();

  std::string path_;
  Fd socket_;
  std::string received_;
  int64_t call_ = 0;
  bool asked_ = false;
};

}  // namespace fabric
