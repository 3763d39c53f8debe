// SPDX-License-Identifier: Apache-2.0
// The supervisor's store thread: whole transactions with group commit. What gathered while the last
// commit ran goes into the next one, with no artificial delay; each piece of work runs in a nested
// transaction, so one that fails leaves nothing among its neighbours. In the same transaction free
// slots are filled from the queues, so the end of one task and the claim of the next cost one
// commit.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/result.hpp"
#include "store/store.hpp"
#include "supervisor/dispatcher.hpp"

namespace fabric {

class StoreThread {
 public:
  using Work = std::function<Status(store::WriteTxn&, Dispatcher&)>;
  using Done = std::function<void(Status)>;
  using OnClaims = std::function<void(std::vector<Dispatcher::Claim>)>;
  // When something must be decided because its time has come; nullopt: not before something
  // changes. Whoever is told posts any work then.
  using OnNextTick = std::function<void(std::optional<WallTime>)>;

  // `done` callbacks, `on_claims` and `on_next_tick` run in `loop`, after the commit is on disk, in
  // order.
  StoreThread(store::Store& store, EventLoop& loop, Dispatcher dispatcher, OnClaims on_claims,
              OnNextTick on_next_tick);
  ~StoreThread();  // finishes what was posted
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;

  // From any thread.
  void post(Work work, Done done);

 private:
  struct Job {
    Work work;
    Done done;
  };
  void run();
  void run_batch(std::vector<Job> batch);
  struct Batch;
  Status run_in_transaction(Batch& batch);
  void retry_later();

  store::Store& store_;
  EventLoop& loop_;
  OnClaims on_claims_;
  OnNextTick on_next_tick_;
  Dispatcher dispatcher_;
  std::optional<WallTime> next_tick_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fabric
