// SPDX-License-Identifier: Apache-2.0
// Group commit over a real store: what fails leaves nothing, callbacks come in order and after the
// commit, free slots are filled in the same transaction.
#include <atomic>
#include <future>

#include "supervisor/store_thread.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

class Threads {
 public:
  explicit Threads(uint32_t slots = 1) {
    Agent agent;
    agent.definition.id = "a1";
    agent.definition.command = {"true"};
    agent.definition.max_concurrent_tasks = slots;
    store::WriteTxn txn = ok(store_.write());
    ok(txn.save_agent(agent));
    ok(txn.commit());
    agent_ = agent;
    writer_ = std::make_unique<StoreThread>(
        store_, *loop_, Dispatcher({}, system_clock()),
        [this](std::vector<Dispatcher::Claim> claims) {
          for (Dispatcher::Claim& claim : claims) {
            order += " claim:" + claim.task.id;
            claims_.push_back(std::move(claim.task));
          }
          if (until_claims_ != 0 && claims_.size() >= until_claims_) loop_->stop();
        },
        [](std::optional<WallTime>) {});
  }
  ~Threads() { writer_.reset(); }

  void post(const std::string& name, StoreThread::Work work) {
    writer_->post(std::move(work),
                  [this, name](Status s) { order += " " + name + (s ? "" : "!"); });
  }
  void schedule(const std::string& id, bool then_fail = false) {
    post(id, [id, then_fail](store::WriteTxn& txn, Dispatcher&) -> Status {
      AgentScheduler scheduler(txn, WallTime{1700000000000000});
      TRY(scheduler.schedule({task_for("a1", id)}));
      if (then_fail) return fail(ErrorCode::failed, "on purpose");
      return {};
    });
  }
  void make_available() {
    post("available", [agent = agent_](store::WriteTxn&, Dispatcher& d) -> Status {
      d.available(agent);
      return {};
    });
  }
  void run_until_claims(size_t n) {
    until_claims_ = n;
    if (claims_.size() < n) ok(loop_->run());
  }
  // Everything posted so far, and its callbacks.
  void run_all() {
    writer_->post([](store::WriteTxn&, Dispatcher&) -> Status { return {}; },
                  [this](Status) { loop_->post([this] { loop_->stop(); }); });
    ok(loop_->run());
  }
  [[nodiscard]] std::optional<Task> find(const std::string& id) const {
    return ok(ok(store_.read()).find_task(id));
  }
  // Holds the store thread until released, so that what is posted meanwhile is one batch.
  std::promise<void> hold() {
    std::promise<void> release;
    writer_->post(
        [wait = std::make_shared<std::future<void>>(release.get_future())](store::WriteTxn&,
                                                                           Dispatcher&) -> Status {
          wait->wait();
          return {};
        },
        {});
    return release;
  }

  std::string order;
  std::vector<Task> claims_;
  std::unique_ptr<EventLoop> loop_ = ok(EventLoop::make(system_clock()));

 private:
  TempDir dir_;
  store::Store store_ = ok(store::Store::open(dir_.path() + "/store", store::Store::Mode::create));
  Agent agent_;
  size_t until_claims_ = 0;

 public:
  std::unique_ptr<StoreThread> writer_;
};

}  // namespace

TEST_CASE("jobs of a batch that fail leave nothing among their neighbours") {
  Threads t;
  std::promise<void> release = t.hold();
  t.schedule("t1");
  t.schedule("t2", true);
  t.schedule("t3");
  t.schedule("t1");  // the same again
  release.set_value();
  t.run_all();
  CHECK(t.order == " t1 t2! t3 t1");
  CHECK(t.find("t1"));
  CHECK_FALSE(t.find("t2"));
  CHECK(t.find("t3"));
  CHECK(t.claims_.empty());
}

TEST_CASE("a callback finds its work in the store") {
  Threads t;
  bool there = false;
  for (int i = 0; i < 50; ++i) t.schedule("t" + std::to_string(i));
  t.writer_->post(
      [](store::WriteTxn& txn, Dispatcher&) -> Status {
        TRY(AgentScheduler(txn, {1}).schedule({task_for("a1", "last")}));
        return {};
      },
      [&](Status s) { there = s && t.find("last").has_value(); });
  t.run_all();
  CHECK(there);
}

TEST_CASE("slots are filled after the callbacks of the batch, and no more than there are") {
  Threads t(2);
  std::promise<void> release = t.hold();
  for (const char* id : {"t1", "t2", "t3"}) t.schedule(id);
  t.make_available();
  release.set_value();
  t.run_until_claims(2);
  t.run_all();
  CHECK(t.order == " t1 t2 t3 available claim:t1 claim:t2");
  CHECK(t.find("t1")->state == TaskState::running);
  CHECK(t.find("t1")->attempt_id == t.claims_[0].attempt_id);
  CHECK(t.find("t3")->state == TaskState::pending);
}

TEST_CASE("an end and the next claim are one batch") {
  Threads t;
  t.make_available();
  t.schedule("t1");
  t.schedule("t2");
  t.run_until_claims(1);
  Task first = t.claims_[0];
  t.order.clear();
  t.post("end", [first](store::WriteTxn& txn, Dispatcher&) -> Status {
    AgentScheduler scheduler(txn, {1700000000000001});
    TRY(scheduler.finish(first.sequence, first.attempt_id, {}));
    return {};
  });
  t.run_until_claims(2);
  CHECK_THAT(t.order, Catch::EndsWith(" end claim:t2"));
  CHECK(t.find("t1")->state == TaskState::completed);
}

TEST_CASE("an agent that is not available, or a pause, gets no claims") {
  Threads t;
  t.schedule("t1");
  t.run_all();
  t.make_available();
  t.run_until_claims(1);
  t.post("gone", [](store::WriteTxn&, Dispatcher& d) -> Status {
    d.unavailable("a1");
    return {};
  });
  t.schedule("t2");
  t.run_all();
  CHECK(t.claims_.size() == 1);
  t.post("pause", [](store::WriteTxn&, Dispatcher& d) -> Status {
    d.pause();
    return {};
  });
  t.make_available();
  t.run_all();
  CHECK(t.claims_.size() == 1);
  CHECK(t.find("t2")->state == TaskState::pending);
}

TEST_CASE("posts from many threads are all committed") {
  Threads t;
  std::atomic<int> done{0};
  std::vector<std::thread> posters;
  for (int p = 0; p < 4; ++p)
    posters.emplace_back([&, p] {
      for (int i = 0; i < 100; ++i) {
        std::string id = "p" + std::to_string(p) + "-" + std::to_string(i);
        t.writer_->post(
            [id](store::WriteTxn& txn, Dispatcher&) -> Status {
              TRY(AgentScheduler(txn, {1}).schedule({task_for("a1", id)}));
              return {};
            },
            [&](Status s) { done += s ? 1 : 0; });
      }
    });
  for (std::thread& poster : posters) poster.join();
  t.run_all();
  CHECK(done == 400);
}

TEST_CASE("its destructor finishes what was posted") {
  Threads t;
  for (int i = 0; i < 100; ++i) t.schedule("t" + std::to_string(i));
  t.writer_.reset();
  CHECK(t.find("t99"));
  CHECK(t.order.empty());  // nobody runs the loop any more
}
