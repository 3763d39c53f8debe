// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "fabric/event_reader.hpp"

using namespace fabric;
using namespace fabric::cmd;

namespace {

template <class T>
T ok(Result<T> result) {
  if (!result) FAIL(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

class Events {
 public:
  Events() {
    char path[] = "/tmp/fabric-test-XXXXXX";
    directory_ = ::mkdtemp(path);
    store_.emplace(ok(store::Store::open(directory_ + "/store", store::Store::Mode::create)));
  }
  ~Events() {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  void add(size_t count, EventKind kind = EventKind::task_ready) {
    store::WriteTxn txn = ok(store_->write());
    for (size_t i = 0; i < count; ++i) {
      Event event;
      event.kind = kind;
      event.at.us = ++time_ * 1000000;
      event.task = "t" + std::to_string(time_);
      ok(txn.add_event(event));
    }
    ok(txn.commit());
  }
  void remove_to(uint64_t last) {
    store::WriteTxn txn = ok(store_->write());
    ok(txn.remove_events(last, 100000));
    ok(txn.commit());
  }
  store::ReadTxn read() { return ok(store_->read()); }

 private:
  std::string directory_;
  std::optional<store::Store> store_;
  int64_t time_ = 0;
};

std::vector<uint64_t> cursors(const std::vector<Event>& events) {
  std::vector<uint64_t> out;
  for (const Event& event : events) out.push_back(event.sequence);
  return out;
}

}  // namespace

TEST_CASE("a reader neither loses nor repeats events, in pages and as they come") {
  Events events;
  EventReader reader(0, {});
  CHECK(ok(reader.next(events.read())).events.empty());
  events.add(2500);
  std::vector<uint64_t> seen;
  for (bool more = true; more;) {
    const EventReader::Page page = ok(reader.next(events.read()));
    for (uint64_t cursor : cursors(page.events)) seen.push_back(cursor);
    CHECK_FALSE(page.gap);
    more = page.more;
  }
  REQUIRE(seen.size() == 2500);
  for (size_t i = 0; i < seen.size(); ++i) REQUIRE(seen[i] == i + 1);
  CHECK(ok(reader.next(events.read())).events.empty());
  events.add(1);
  CHECK(cursors(ok(reader.next(events.read())).events) == std::vector<uint64_t>{2501});
}

TEST_CASE("a gap names exactly what was removed, also when nothing is left") {
  Events events;
  events.add(10);
  events.remove_to(6);
  EventReader reader(3, {});
  EventReader::Page page = ok(reader.next(events.read()));
  REQUIRE(page.gap);
  CHECK(page.gap->first == 4);
  CHECK(page.gap->last == 6);
  CHECK(cursors(page.events) == std::vector<uint64_t>{7, 8, 9, 10});
  events.add(3);
  events.remove_to(13);
  page = ok(reader.next(events.read()));
  REQUIRE(page.gap);
  CHECK(page.gap->first == 11);
  CHECK(page.gap->last == 13);
  CHECK_FALSE(ok(reader.next(events.read())).gap);
}

TEST_CASE("filters take kinds, sorts of kinds, tasks") {
  Events events;
  events.add(1, EventKind::task_failed);
  events.add(1, EventKind::task_completed);
  events.add(1, EventKind::paused);
  const auto with = [&](EventFilter filter) {
    EventReader reader(0, std::move(filter));
    return cursors(ok(reader.next(events.read())).events);
  };
  CHECK(with({{"task"}, "", "", ""}) == std::vector<uint64_t>{1, 2});
  CHECK(with({{"task.failed", "paused"}, "", "", ""}) == std::vector<uint64_t>{1, 3});
  CHECK(with({{"tas"}, "", "", ""}).empty());
  CHECK(with({{}, "", "t2", ""}) == std::vector<uint64_t>{2});
}

TEST_CASE("the newest are found backwards, through pages that have none") {
  Events events;
  events.add(3, EventKind::paused);
  events.add(2400);
  EventFilter filter{{"paused"}, "", "", ""};
  CHECK(cursors(ok(newest_events(events.read(), filter, 2))) == std::vector<uint64_t>{2, 3});
  CHECK(cursors(ok(newest_events(events.read(), {}, 2))) == std::vector<uint64_t>{2402, 2403});
  events.remove_to(2402);
  CHECK(cursors(ok(newest_events(events.read(), {}, 5))) == std::vector<uint64_t>{2403});
  events.remove_to(2403);
  CHECK(ok(newest_events(events.read(), {}, 5)).empty());
}

TEST_CASE("a time is found among the events that are left") {
  Events events;
  CHECK(ok(position_before(events.read(), WallTime{1})) == 0);
  events.add(100);  // event n at n seconds
  events.remove_to(10);
  const auto at = [](double seconds) { return WallTime{static_cast<int64_t>(seconds * 1e6)}; };
  CHECK(ok(position_before(events.read(), at(50))) == 49);
  CHECK(ok(position_before(events.read(), at(50.5))) == 50);
  CHECK(ok(position_before(events.read(), at(1))) == 10);
  CHECK(ok(position_before(events.read(), at(1000))) == 100);
}
