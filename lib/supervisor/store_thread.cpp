// SPDX-License-Identifier: Apache-2.0
#include "supervisor/store_thread.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "scheduler/agent_scheduler.hpp"
#include "telemetry/log.hpp"

namespace fabric {

void Dispatcher::available(const Agent& agent) {
  agents_.insert_or_assign(agent.definition.id, agent);
  mark(agent.definition.id);
}

void Dispatcher::unavailable(const std::string& agent_id) { agents_.erase(agent_id); }

Result<std::vector<Dispatcher::Claim>> Dispatcher::fill(store::WriteTxn& txn, WallTime now) {
  std::vector<Claim> claims;
  if (paused_) return claims;
  std::unordered_set<std::string> dirty;
  dirty.swap(dirty_);
  for (const std::string& id : dirty) {
    auto found = agents_.find(id);
    if (found == agents_.end()) continue;
    // A queue that is damaged must not starve the others.
    Result<std::vector<Claim>> taken = fill_one(txn, now, found->second);
    if (!taken) log::error("queue not served", {{"agent", id}, {"error", taken.error().message}});
    if (taken) std::move(taken->begin(), taken->end(), std::back_inserter(claims));
  }
  return claims;
}

Result<std::vector<Dispatcher::Claim>> Dispatcher::fill_one(store::WriteTxn& txn, WallTime now,
                                                            const Agent& agent) {
  std::vector<Claim> claims;
  store::WriteTxn nested = TRY(txn.nested());
  AgentScheduler scheduler(nested, now);
  size_t running = TRY(nested.running_tasks(agent.number)).size();
  for (; running < agent.definition.max_concurrent_tasks; ++running) {
    std::optional<Task> task = TRY(scheduler.claim(agent));
    if (!task) break;
    claims.push_back({std::move(*task), agent.number});
  }
  TRY_STATUS(nested.commit());
  return claims;
}

void Dispatcher::mark_all() {
  for (const auto& [id, agent] : agents_) dirty_.insert(id);
}

StoreThread::StoreThread(store::Store& store, EventLoop& loop, const Clock& clock,
                         OnClaims on_claims)
    : store_(store), loop_(loop), clock_(clock), on_claims_(std::move(on_claims)) {
  thread_ = std::thread([this] { run(); });
}

StoreThread::~StoreThread() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void StoreThread::post(Work work, Done done) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back({std::move(work), std::move(done)});
  }
  wake_.notify_one();
}

void StoreThread::run() {
  ::pthread_setname_np(::pthread_self(), "fabric-store");
  // With both cores busy a commit waits 12 ms for its turn at p99; above other work 0.4 ms. Needs
  // CAP_SYS_NICE or RLIMIT_NICE; without it everything works, slower under load.
  ::setpriority(PRIO_PROCESS, 0, -10);
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::vector<Job> batch;
    batch.swap(queue_);
    lock.unlock();
    run_batch(std::move(batch));
    lock.lock();
  }
}

// A full disk, most likely: queues are looked at again in a second, or with the next work.
void StoreThread::retry_later() {
  dispatcher_.mark_all();
  loop_.post([this] {
    loop_.after(Duration::seconds(1),
                [this] { post([](store::WriteTxn&, Dispatcher&) { return Status(); }, {}); });
  });
}

void StoreThread::run_batch(std::vector<Job> batch) {
  std::vector<Status> results(batch.size());
  std::vector<Dispatcher::Claim> claims;
  auto attempt = [&]() -> Status {
    store::WriteTxn txn = TRY(store_.write());
    for (size_t i = 0; i < batch.size(); ++i) {
      store::WriteTxn nested = TRY(txn.nested());
      results[i] = batch[i].work(nested, dispatcher_);
      if (results[i]) results[i] = nested.commit();
    }
    if (!dispatcher_.idle()) claims = TRY(dispatcher_.fill(txn, clock_.now()));
    return txn.commit();
  };
  Status committed = attempt();
  if (!committed) {
    log::error("commit failed", {{"error", committed.error().message}});
    claims.clear();
    retry_later();
    for (Status& result : results)
      if (result) result = fail(committed.error());
  }
  loop_.post([this, batch = std::make_shared<std::vector<Job>>(std::move(batch)),
              results = std::move(results), claims = std::move(claims)]() mutable {
    for (size_t i = 0; i < batch->size(); ++i)
      if ((*batch)[i].done) (*batch)[i].done(std::move(results[i]));
    if (!claims.empty()) on_claims_(std::move(claims));
  });
}

}  // namespace fabric
