// SPDX-License-Identifier: Apache-2.0
// Live resource use, asked of the supervisor without ever waiting for it: a display answers keys
// and signals while a supervisor is stopped, starts or hangs. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "supervisor/live_usage.hpp"

namespace fabric {

class UsageWatch {
 public:
  explicit UsageWatch(std::string control_socket) : path_(std::move(control_socket)) {}

  // Does nothing while an answer is awaited, or when nobody listens.
  void ask();
  // Readable when take() has something to read; -1 when no answer is awaited.
  [[nodiscard]] int fd() const { return asked_ ? socket_.get() : -1; }
  // The answer, once it is there whole. Empty when the supervisor went away instead.
  std::optional<LiveUsageList> take();

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
