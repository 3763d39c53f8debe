// SPDX-License-Identifier: Apache-2.0
// A judge that finds nothing proves nothing: each promise is broken once.
#include <catch2/catch.hpp>

#include "history.hpp"

using namespace fabric;
using namespace fabric::crash;
using Kind = Step::Kind;

namespace {

Capacity small() {
  Capacity capacity;
  capacity.labels = {{"gpu", 1}};
  capacity.agents = {{"a", 2}, {"b", 9}};
  return capacity;
}

struct History {
  std::vector<Step> steps;
  WallTime now{1000};

  History& scheduled(Task task) {
    const std::string id = task.id;
    steps.push_back({Kind::scheduled, id, now, std::make_shared<const Task>(std::move(task))});
    return *this;
  }
  History& started(const std::string& id, uint64_t attempt, const std::string& agent = "b") {
    steps.push_back({Kind::started, id, now, nullptr, attempt, agent});
    return *this;
  }
  History& over(const std::string& id, uint64_t attempt) {
    steps.push_back({Kind::over, id, now, nullptr, attempt});
    return *this;
  }
  History& ended(const std::string& id, uint64_t attempt, TaskState state = TaskState::completed) {
    steps.push_back({Kind::ended, id, now, nullptr, attempt, {}, state});
    return *this;
  }
  History& removed(const std::string& id) {
    steps.push_back({Kind::removed, id, now});
    return *this;
  }
};

Task task(const std::string& id, std::vector<std::string> after = {},
          AfterPolicy policy = AfterPolicy::success) {
  Task task;
  task.id = id;
  task.depends_on = std::move(after);
  task.after = policy;
  return task;
}
Task keyed(const std::string& id) {
  Task made = task(id);
  made.exclusive = "key";
  return made;
}

void breaks(const History& history, const std::string& what) {
  const std::vector<std::string> broken = broken_promises(history.steps, small(), false);
  REQUIRE(broken.size() == 1);
  CHECK_THAT(broken[0], Catch::Contains(what));
}
void keeps(const History& history, bool complete = true) {
  CHECK(broken_promises(history.steps, small(), complete).empty());
}

}  // namespace

TEST_CASE("a good history breaks nothing") {
  keeps(History()
            .scheduled(keyed("t1"))
            .scheduled(task("t2", {"t1"}))
            .started("t1", 1)
            .over("t1", 1)
            .started("t1", 2)
            .ended("t1", 2)
            .started("t2", 3)
            .ended("t2", 3)
            .removed("t1"));
}

TEST_CASE("ends") {
  const History one = History().scheduled(task("t"));
  CHECK(broken_promises(one.steps, small(), true).size() == 1);  // never ended
  const History done = History(one).started("t", 1).ended("t", 1);
  breaks(History(done).ended("t", 1), "ended twice");
  breaks(History(done).started("t", 2), "went on after its end");
  breaks(History(done).removed("t").started("t", 2), "came back");
  breaks(History(one).removed("t"), "removed before its end");
  breaks(History(one).ended("t", 0), "completed without an attempt");
  breaks(History(one).started("t", 2).ended("t", 1), "an attempt ended that did not run");
  breaks(History(one).scheduled(task("t")), "scheduled twice");
  breaks(History().started("t", 1), "never scheduled");
}

TEST_CASE("attempts") {
  const History two = History().scheduled(task("t")).scheduled(task("u"));
  breaks(History(two).started("t", 1).over("t", 1).started("u", 1), "given again");
  breaks(History(two).started("t", 1).started("t", 2), "started while it ran");
  Task later = task("v");
  later.start_at = WallTime{2000};
  breaks(History(two).scheduled(later).started("v", 1), "before its time");
}

TEST_CASE("dependencies") {
  const auto with = [](AfterPolicy policy) {
    return History().scheduled(task("a")).scheduled(task("b")).scheduled(
        task("t", {"a", "b"}, policy));
  };
  const auto early = "started before its dependencies";
  const History success = with(AfterPolicy::success).started("a", 1).ended("a", 1).started("b", 2);
  breaks(History(success).started("t", 3), early);
  breaks(History(success).ended("b", 2, TaskState::failed).started("t", 3), early);
  const History any = with(AfterPolicy::any).started("a", 1).started("b", 2);
  breaks(History(any).ended("a", 1, TaskState::failed).started("t", 3), early);
  keeps(History(any).ended("a", 1).started("t", 3), false);
  const History finish = with(AfterPolicy::finish).started("a", 1).started("b", 2);
  breaks(History(finish).ended("a", 1, TaskState::failed).started("t", 3), early);
  keeps(History(finish).ended("a", 1, TaskState::failed).ended("b", 2).started("t", 3), false);
}

TEST_CASE("what is there once") {
  const History keys = History().scheduled(keyed("t")).scheduled(keyed("u")).started("t", 1);
  breaks(History(keys).started("u", 2), "exclusive key");
  keeps(History(keys).over("t", 1).started("u", 2), false);
  Task on_gpu = task("g");
  on_gpu.slots = {{"gpu", 1}};
  Task too = on_gpu;
  too.id = "h";
  const History gpus = History().scheduled(on_gpu).scheduled(too).started("g", 1);
  breaks(History(gpus).started("h", 2), "more slots of gpu");
  keeps(History(gpus).ended("g", 1).started("h", 2), false);
  breaks(History()
             .scheduled(task("t"))
             .scheduled(task("u"))
             .scheduled(task("v"))
             .started("t", 1, "a")
             .started("u", 2, "a")
             .started("v", 3, "a"),
         "one too many of agent a");
}
