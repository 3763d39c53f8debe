// SPDX-License-Identifier: Apache-2.0
// Records of the queue: what goes in comes out, also what only a newer version knows.
#include "store/codec.hpp"
#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

// A record after its way through bytes, with a field of the far future: number 1000.
template <class Record>
Record with_future(const Record& record) {
  const std::string bytes = record.SerializeAsString() + std::string("\xc2\x3e\x08tomorrow", 11);
  Record parsed;
  REQUIRE(parsed.ParseFromString(bytes));
  return parsed;
}
template <class Record>
bool keeps_future(const Record& record) {
  return record.SerializeAsString().find("tomorrow") != std::string::npos;
}
template <class Record>
Record reread(const Record& record) {
  Record parsed;
  REQUIRE(parsed.ParseFromString(record.SerializeAsString()));
  return parsed;
}

Task queued_task() {
  Task task = task_of("coder", "id");
  task.after = AfterPolicy::any;
  task.no_progress_timeout = Duration::seconds(1);
  task.queue_ttl = Duration::seconds(2);
  task.deadline.us = 3;
  task.start_at.us = 4;
  task.retry = {5, {true, Duration::seconds(6), Duration::seconds(7)}, {"lost", "exit:8"}};
  task.slots = {{"build", 2}, {"gpu", 1}};
  task.share = "team";
  task.exclusive = "db";
  task.group = "g";
  task.require = {{"tool", "browser"}};
  task.retries = 9;
  task.lane = {10, 11, Priority::critical, 12};
  task.not_before.us = 13;
  task.lease_until.us = 14;
  task.dead = true;
  task.retried_as = "id.r1";
  task.retry_of = "older";
  return task;
}
// The fields that queued_task() sets.
void check_same(const Task& a, const Task& b) {
  CHECK(same_submission(a, b));
  CHECK(a.retries == b.retries);
  CHECK(a.lane == b.lane);
  CHECK(a.not_before == b.not_before);
  CHECK(a.lease_until == b.lease_until);
  CHECK(a.dead == b.dead);
  CHECK(a.retried_as == b.retried_as);
  CHECK(a.retry_of == b.retry_of);
}

}  // namespace

TEST_CASE("every field of a task in the queue is kept, and emptied again") {
  const Task task = queued_task();
  record::Task record;
  put_task(task, record);
  record.set_payload(task.payload);
  record::Task read = with_future(record);
  check_same(ok(get_task(read)), task);

  Task plain = task_of("coder", "id");
  plain.share = "ann";
  put_task(plain, read);
  CHECK(keeps_future(read));
  check_same(ok(get_task(reread(read))), plain);
}

TEST_CASE("every field of an attempt is kept") {
  Attempt attempt;
  attempt.attempt_id = 1;
  attempt.agent = "a";
  attempt.started_at.us = 2;
  attempt.ended_at.us = 3;
  attempt.state = TaskState::timed_out;
  attempt.reason = Reason::no_progress;
  attempt.detail = std::string("\0why", 4);
  attempt.exit_code = 0;
  attempt.signal = 9;
  attempt.cpu = Duration::millis(4);
  attempt.memory_peak_bytes = 5;
  record::Attempt record;
  put_attempt(attempt, record);
  const Attempt read = ok(get_attempt(reread(record)));
  CHECK(read.attempt_id == 1);
  CHECK(read.agent == "a");
  CHECK(read.started_at.us == 2);
  CHECK(read.ended_at.us == 3);
  CHECK(read.state == TaskState::timed_out);
  CHECK(read.reason == Reason::no_progress);
  CHECK(read.detail == attempt.detail);
  CHECK(read.exit_code == 0);
  CHECK(read.signal == 9);
  CHECK(read.cpu == Duration::millis(4));
  CHECK(read.memory_peak_bytes == 5);
  record.set_state(6);
  CHECK(!get_attempt(record));
}

TEST_CASE("every field of an event is kept, and every kind") {
  Event event;
  event.at.us = 1;
  event.task = "t";
  event.agent = "a";
  event.group = "g";
  event.task_sequence = 2;
  event.attempt = 3;
  event.state = TaskState::running;
  event.reason = Reason::exclusive;
  event.detail = "d";
  for (uint32_t kind = 0; kind <= static_cast<uint32_t>(k_last_event_kind); ++kind) {
    event.kind = static_cast<EventKind>(kind);
    record::Event record;
    put_event(event, record);
    const Event read = ok(get_event(reread(record)));
    CHECK(read.kind == event.kind);
    CHECK(ok(parse_event_kind(to_string(read.kind))) == event.kind);
    CHECK(read.at.us == 1);
    CHECK(read.task + read.agent + read.group + read.detail == "tagd");
    CHECK(read.task_sequence == 2);
    CHECK(read.attempt == 3);
    CHECK(read.state == TaskState::running);
    CHECK(read.reason == Reason::exclusive);
  }
  record::Event newer;
  newer.set_kind(static_cast<uint32_t>(k_last_event_kind) + 1);
  CHECK(!get_event(newer));
}

TEST_CASE("every field of a recurring task is kept") {
  Recurring recurring;
  recurring.id = "nightly";
  recurring.every = "0 3 * * *";
  recurring.timezone = "Europe/Berlin";
  recurring.missed = MissedRuns::all;
  recurring.line = R"({"agent":"a"})";
  recurring.user = "ann";
  recurring.correlation_id = "c";
  recurring.created_at.us = 1;
  recurring.due.us = 2;
  recurring.last_run.us = 3;
  recurring.runs = 4;
  recurring.missed_runs = 5;
  recurring.detail = "why";
  record::Recurring record;
  put_recurring(recurring, record);
  record::Recurring newer = with_future(record);
  const Recurring read = ok(get_recurring(newer));
  CHECK(read.id + read.every + read.timezone + read.line ==
        recurring.id + recurring.every + recurring.timezone + recurring.line);
  CHECK(read.missed == MissedRuns::all);
  CHECK(read.user + read.correlation_id + read.detail == "anncwhy");
  CHECK(read.created_at.us == 1);
  CHECK(read.due.us == 2);
  CHECK(read.last_run.us == 3);
  CHECK(read.runs == 4);
  CHECK(read.missed_runs == 5);
  put_recurring(read, newer);
  CHECK(keeps_future(newer));
}

TEST_CASE("pauses are kept in order") {
  const std::vector<Pause> pauses{{PauseKind::workspace, "", "ann", {1}},
                                  {PauseKind::share, "team", "bob", {2}}};
  record::Pauses record;
  put_pauses(pauses, record);
  const std::vector<Pause> read = ok(get_pauses(reread(record)));
  REQUIRE(read.size() == 2);
  CHECK(read[1].same_target(pauses[1]));
  CHECK(read[1].user == "bob");
  CHECK(read[1].since.us == 2);
  put_pauses({}, record);
  CHECK(ok(get_pauses(record)).empty());
}

TEST_CASE("what a newer version wrote into rows of the queue survives a save") {
  TempDir dir(k_memory);
  Store store = create(dir);
  WriteTxn txn = ok(store.write());
  const ShareNumber share = ok(txn.number_of(NameKind::share, "team"));
  CHECK(ok(txn.number_of(NameKind::share, "team")) == share);
  ok(txn.save_share_times(share, {1.5, {1, 2, 3, 4}}));
  CHECK(!txn.save_share_times(share + 1, {}));
  const std::vector<Share> shares = ok(txn.shares());
  REQUIRE(shares.size() == 1);
  CHECK(shares[0].name == "team");
  CHECK(shares[0].times == ShareTimes{1.5, {1, 2, 3, 4}});
  // Routes have their numbers from those of agents: both have queues.
  Agent agent = agent_named("a");
  ok(txn.save_agent(agent));
  const uint32_t route = ok(txn.number_of(NameKind::route, "tool=x"));
  CHECK(route == agent.number + 1);
  CHECK(!txn.number_of(NameKind::route, std::string(501, 'x')));
  CHECK(!ok(txn.find_number(NameKind::share, "tool=x")));
  CHECK(ok(txn.names(NameKind::route)).size() == 1);
}
