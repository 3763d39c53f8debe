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
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/store.hpp"
#include "supervisor/event_loop.hpp"

namespace fabric {

// Which agents can take tasks, and whose queue must be looked at again. Store thread only.
class Dispatcher {
 public:
  struct Claim {
    Task task;
    uint32_t agent_number = 0;
  };

  void available(const Agent& agent);  // its sandbox stands: it takes tasks from now on
  void unavailable(const std::string& agent_id);
  void mark(const std::string& agent_id) { dirty_.insert(agent_id); }
  void pause() { paused_ = true; }  // no new claims (the supervisor goes down)

  // Claims for every marked agent with free slots, into `txn`.
  Result<std::vector<Claim>> fill(store::WriteTxn& txn, WallTime now);
  [[nodiscard]] bool idle() const { return paused_ || dirty_.empty(); }
  // The transaction was lost: every queue must be looked at again.
  void mark_all();

 private:
  static Result<std::vector<Claim>> fill_one(store::WriteTxn& txn, WallTime now,
                                             const Agent& agent);

  std::unordered_map<std::string, Agent> agents_;
  std::unordered_set<std::string> dirty_;
  bool paused_ = false;
};

class StoreThread {
 public:
  using Work = std::function<Status(store::WriteTxn&, Dispatcher&)>;
  using Done = std::function<void(Status)>;
  using OnClaims = std::function<void(std::vector<Dispatcher::Claim>)>;

  // `done` callbacks and `on_claims` run in `loop`, after the commit is on disk, in order.
  StoreThread(store::Store& store, EventLoop& loop, const Clock& clock, OnClaims on_claims);
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
  void retry_later();

  store::Store& store_;
  EventLoop& loop_;
  const Clock& clock_;
  OnClaims on_claims_;
  Dispatcher dispatcher_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fabric
