// SPDX-License-Identifier: Apache-2.0
// What outlives a supervisor: running attempts, exits, workers' lines; and what must not.
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "isolation/exit_journal.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

bool ended(const Sandbox& sandbox, int milliseconds) {
  pollfd ask{sandbox.pidfd.get(), POLLIN, 0};
  return ::poll(&ask, 1, milliseconds) == 1;
}

Sandbox adopted(Fixture& fixture, const SandboxIdentity& identity) {
  auto sandbox = fixture.manager().adopt_sandbox(identity);
  REQUIRE(sandbox);
  return std::move(*sandbox);
}

}  // namespace

TEST_CASE("a successor finds what runs and gets exits again until it acknowledges them") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.slots = 2;
  Sandbox first = fixture.create(spec);
  StartRequest quick = shell("exit 5"), slow = shell("sleep 30");
  slow.slot = 1;
  REQUIRE(first.connection.start(slow, {}, {}, {}));
  REQUIRE(first.connection.start(quick, {}, {}, {}));
  CHECK(wait_for<AttemptExit>(first).attempt == quick.attempt);
  first.connection = InitConnection();  // the first supervisor dies without acknowledging

  Sandbox second = adopted(fixture, first.identity);
  auto state = wait_for<InitState>(second);
  CHECK(state.running == std::vector<AttemptId>{slow.attempt});
  CHECK(state.running_slots == std::vector<uint32_t>{1});
  CHECK(state.ended == std::vector<AttemptId>{quick.attempt});
  auto again = wait_for<AttemptExit>(second);
  CHECK(again.attempt == quick.attempt);
  CHECK(again.exit_code == 5);
  REQUIRE(second.connection.acknowledge_exit(quick.attempt));

  // A third one replaces it while it still lives.
  Sandbox third = adopted(fixture, first.identity);
  auto now = wait_for<InitState>(third);
  CHECK(now.ended.empty());
  CHECK(now.running == state.running);
  CHECK_THROWS(wait_for<AttemptExit>(second, 5));  // end of file
  REQUIRE(third.connection.kill(slow.attempt));
  CHECK(wait_for<AttemptExit>(third).attempt == slow.attempt);
}

TEST_CASE("an attempt that ends while nobody is connected is in the journal") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  Sandbox first = fixture.create(spec);
  StartRequest start = shell("sleep 0.2; exit 4");
  REQUIRE(first.connection.start(start, {}, {}, {}));
  wait_for<AttemptStarted>(first);
  first.connection = InitConnection();
  Sandbox second = adopted(fixture, first.identity);
  auto exit = wait_for<AttemptExit>(second);
  CHECK(exit.exit_code == 4);
  REQUIRE(fixture.manager().destroy_sandbox(first.identity));
  auto journal = read_exit_journal(spec.exit_journal);
  REQUIRE(journal);
  REQUIRE(journal->size() == 1);
  CHECK(journal->front().attempt == start.attempt);
  CHECK(journal->front().exit_code == 4);
}

TEST_CASE("the journal is a ring that a later sandbox continues") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  Sandbox sandbox = fixture.create(spec);
  AttemptId last = 0;
  for (int i = 0; i < 270; ++i) last = run(sandbox, request({"true"})).exit.attempt;
  REQUIRE(fixture.manager().destroy_sandbox(sandbox.identity));
  auto journal = read_exit_journal(spec.exit_journal);
  REQUIRE(journal);
  CHECK(journal->size() == 256);
  CHECK(journal->back().attempt == last);
  Sandbox next = fixture.create(spec);
  AttemptId newest = run(next, request({"false"})).exit.attempt;
  journal = read_exit_journal(spec.exit_journal);
  REQUIRE(journal);
  CHECK(journal->size() == 256);
  CHECK(journal->back().attempt == newest);
}

TEST_CASE("a sandbox without a supervisor stops after its grace, running attempt included") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.orphan_grace = Duration::millis(100);
  Sandbox sandbox = fixture.create(spec);
  StartRequest start = shell("sleep 60");
  start.grace = Duration::millis(100);
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  wait_for<AttemptStarted>(sandbox);
  CHECK_FALSE(ended(sandbox, 300));  // as long as somebody is there
  sandbox.connection = InitConnection();
  CHECK(ended(sandbox, 5000));
  auto journal = read_exit_journal(spec.exit_journal);
  REQUIRE(journal);
  REQUIRE(journal->size() == 1);
  CHECK(journal->front().reason == EndReason::stopped);
  auto gone = fixture.manager().adopt_sandbox(sandbox.identity);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == ErrorCode::not_found);
}

TEST_CASE("shut_down ends attempts politely, then the init") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = shell("trap 'exit 8' TERM; while :; do sleep 0.01; done");
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  wait_for<AttemptStarted>(sandbox);
  next_event(sandbox, 100);
  REQUIRE(sandbox.connection.shut_down(Duration::seconds(10)));
  auto exit = wait_for<AttemptExit>(sandbox);
  CHECK((exit.exit_code == 8 || exit.signal == 15));
  CHECK(ended(sandbox, 5000));
}

TEST_CASE("identity is more than a pid") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  SandboxIdentity other = sandbox.identity;
  other.start_time += 1;
  CHECK(fixture.manager().adopt_sandbox(other).error().code == ErrorCode::not_found);
  other = sandbox.identity;
  other.boot_id = "another";
  CHECK(fixture.manager().adopt_sandbox(other).error().code == ErrorCode::not_found);
  other.pid = ::getpid();
  other.cgroup = "test-none";
  other.control_socket = fixture.path("none");
  CHECK(fixture.manager().destroy_sandbox(other));  // kills nobody
  CHECK(run(sandbox, request({"true"})).exit.exit_code == 0);
}
