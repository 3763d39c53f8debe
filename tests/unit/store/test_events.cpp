// SPDX-License-Identifier: Apache-2.0
// The stream of events: one order, no gaps, read from any position on.
#include <limits>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

void add(WriteTxn& txn, const std::string& detail) {
  Event event;
  event.kind = EventKind::task_started;
  event.at.us = 5;
  event.task = "t1";
  event.detail = detail;
  ok(txn.add_event(event));
  REQUIRE(event.sequence == ok(txn.last_event()));
}
std::string details(const std::vector<Event>& events) {
  std::string text;
  for (const Event& event : events) text += event.detail;
  return text;
}

}  // namespace

TEST_CASE("events are read from a position on, oldest first, at most so many") {
  TempDir dir(k_memory);
  Store store = create(dir);
  {
    WriteTxn txn = ok(store.write());
    CHECK(ok(txn.first_event()) == 0);
    CHECK(ok(txn.last_event()) == 0);
    CHECK(ok(txn.events(0, 10)).empty());
    for (const char* detail : {"a", "b", "c"}) add(txn, detail);
    CHECK(details(ok(txn.events(0, 10))) == "abc");  // before the commit too
    ok(txn.commit());
  }
  const ReadTxn txn = ok(store.read());
  CHECK(ok(txn.first_event()) == 1);
  CHECK(ok(txn.last_event()) == 3);
  const std::vector<Event> events = ok(txn.events(1, 1));
  REQUIRE(events.size() == 1);
  CHECK(events[0].sequence == 2);
  CHECK(events[0].kind == EventKind::task_started);
  CHECK(events[0].task == "t1");
  CHECK(events[0].at.us == 5);
  CHECK(ok(txn.events(3, 10)).empty());
  CHECK(ok(txn.events(std::numeric_limits<uint64_t>::max(), 10)).empty());
}

TEST_CASE("a position is never given twice once it was seen") {
  TempDir dir(k_memory);
  {
    Store store = create(dir);
    WriteTxn txn = ok(store.write());
    add(txn, "a");
    {
      WriteTxn dropped = ok(txn.nested());
      add(dropped, "dropped");
    }
    add(txn, "b");
    CHECK(details(ok(txn.events(0, 10))) == "ab");
    ok(txn.commit());
    WriteTxn remove = ok(store.write());
    CHECK(ok(remove.remove_events(2, 10)) == 2);
    ok(remove.commit());
    CHECK(ok(ok(store.read()).first_event()) == 0);
    CHECK(ok(ok(store.read()).last_event()) == 2);
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::write));
  WriteTxn txn = ok(store.write());
  add(txn, "c");
  CHECK(ok(txn.events(0, 10))[0].sequence == 3);
  ok(txn.commit());
  require_clean(store);
}

TEST_CASE("the oldest events go, up to a position and a number") {
  TempDir dir(k_memory);
  Store store = create(dir);
  WriteTxn txn = ok(store.write());
  for (const char* detail : {"a", "b", "c", "d", "e"}) add(txn, detail);
  CHECK(ok(txn.remove_events(3, 2)) == 2);
  CHECK(details(ok(txn.events(0, 10))) == "cde");
  CHECK(ok(txn.remove_events(3, 2)) == 1);
  CHECK(ok(txn.remove_events(3, 2)) == 0);
  CHECK(details(ok(txn.events(0, 10))) == "de");
  CHECK(ok(txn.first_event()) == 4);
  ok(txn.commit());
  require_clean(store);
}
