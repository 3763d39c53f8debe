// SPDX-License-Identifier: Apache-2.0
// Tasks and how far they are, kept up to date by events.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "fabric/waiting.hpp"

namespace fabric::cmd {

class Watchlist {
 public:
  // Looks at every task once, in a transaction whose last event is where look() goes on.
  static Result<Watchlist> open(const store::ReadTxn& txn, const WaitOptions& options);

  // What has happened since.
  Status look(const store::ReadTxn& txn);

  [[nodiscard]] bool satisfied() const;
  [[nodiscard]] size_t size() const { return tasks_.size(); }
  [[nodiscard]] size_t open() const { return open_; }
  [[nodiscard]] size_t failed() const { return failed_; }
  [[nodiscard]] Waited take();

 private:
  explicit Watchlist(WaitFor what) : what_(what) {}
  void add(const Task& task);
  Status look_at_all(const store::ReadTxn& txn);
  Status ended(const store::ReadTxn& txn, size_t index, TaskState state);
  void count(size_t index, const Task& task);
  void decide(size_t index);

  WaitFor what_;
  uint64_t cursor_ = 0;
  std::vector<Waited::Ended> tasks_;
  std::vector<size_t> order_;  // of the ids that were asked for; one may occur twice
  std::unordered_map<uint64_t, size_t> by_sequence_;
  std::optional<size_t> decisive_;
  size_t open_ = 0;
  size_t failed_ = 0;
};

}  // namespace fabric::cmd
