// SPDX-License-Identifier: Apache-2.0
// The no-progress limit: who is silent for too long is ended, who cannot be heard is not.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "isolation/exit_journal.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

StartRequest limited(const std::string& script, int64_t milliseconds) {
  StartRequest start = shell(script);
  start.no_progress = Duration::millis(milliseconds);
  start.grace = Duration::seconds(10);
  return start;
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }
  Fd reader, writer;
};

}  // namespace

TEST_CASE("a silent command is ended after the limit, and no sooner") {
  Fixture fixture;
  for (auto level : {IsolationLevel::process, IsolationLevel::none}) {
    Sandbox sandbox = fixture.create(level);
    const MonoTime before = system_clock().monotonic();
    Outcome outcome = run(sandbox, limited("exec sleep 60", 150));
    const Duration took = system_clock().monotonic() - before;
    CHECK(outcome.exit.reason == EndReason::no_progress);
    CHECK(outcome.exit.signal == 15);
    CHECK(took >= Duration::millis(150));
    CHECK(took < Duration::seconds(8));
  }
}

TEST_CASE("the limit counts from the last output") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  const MonoTime before = system_clock().monotonic();
  Outcome outcome = run(sandbox, limited("sleep 0.3; echo one >&2; exec sleep 60", 1000));
  CHECK(outcome.exit.reason == EndReason::no_progress);
  CHECK(outcome.err == "one\n");
  CHECK(system_clock().monotonic() - before >= Duration::millis(1300));
}

TEST_CASE("who writes now and then lives on beyond the limit, dropped output included") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = limited(
      "for i in 1 2 3 4 5 6 7 8; do echo out; sleep 0.1; echo err >&2; sleep 0.1; done", 800);
  start.output_limit = 5;
  const MonoTime before = system_clock().monotonic();
  Outcome outcome = run(sandbox, start);
  CHECK(outcome.exit.reason == EndReason::exited);
  CHECK(outcome.exit.exit_code == 0);
  CHECK(outcome.exit.stdout_dropped == 27);
  CHECK(outcome.exit.stderr_dropped == 27);
  CHECK(system_clock().monotonic() - before >= Duration::millis(1600));
}

TEST_CASE("output that nobody receives counts too") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start =
      limited("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo x; sleep 0.1; done", 800);
  start.announce = false;
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  CHECK(wait_for<AttemptExit>(sandbox).reason == EndReason::exited);
}

TEST_CASE("a process that stopped itself is ended") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  Outcome outcome = run(sandbox, limited("echo before; kill -STOP $$; echo after", 500));
  CHECK(outcome.exit.reason == EndReason::no_progress);
  CHECK(outcome.exit.signal == 15);
  CHECK(outcome.out == "before\n");
}

TEST_CASE("who ignores the stop signal is killed after the grace, its descendants with it") {
  Fixture fixture;
  for (auto level : {IsolationLevel::process, IsolationLevel::none}) {
    Sandbox sandbox = fixture.create(level);
    StartRequest start = limited(
        "trap '' TERM; setsid sh -c 'sleep 60 & sleep 60' & while :; do sleep 1; done", 500);
    start.grace = Duration::millis(100);
    Outcome outcome = run(sandbox, start);
    CHECK(outcome.exit.reason == EndReason::no_progress);
    CHECK(outcome.exit.signal == 9);
    CHECK(processes(sandbox) == 0);
    CHECK(run(sandbox, request({"true"})).exit.reason == EndReason::exited);
  }
}

TEST_CASE("a grandchild that says nothing does not outlive the polite end of its parent") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  Outcome outcome = run(sandbox, limited("setsid sleep 60 & trap 'exit 3' TERM; wait", 150));
  CHECK(outcome.exit.reason == EndReason::no_progress);
  CHECK((outcome.exit.exit_code == 3 || outcome.exit.signal == 15));  // before the trap stood
  CHECK(processes(sandbox) == 0);
}

TEST_CASE("output held back by a slow receiver is progress, silence after it is not") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  Pipe pipe;
  StartRequest start = limited("head -c 1000000 /dev/zero; exec sleep 60", 500);
  REQUIRE(sandbox.connection.start(start, {}, pipe.writer, {}));
  wait_for<AttemptStarted>(sandbox);
  pipe.writer.reset();
  CHECK_FALSE(next_event(sandbox, 1500));  // nobody reads, and it lives
  std::string taken(1000000, '\0');
  for (size_t at = 0; at < taken.size();) {
    const ssize_t n = ::read(pipe.reader.get(), taken.data() + at, taken.size() - at);
    REQUIRE(n > 0);
    at += static_cast<size_t>(n);
  }
  auto exit = wait_for<AttemptExit>(sandbox);
  CHECK(exit.reason == EndReason::no_progress);
  CHECK(exit.stdout_bytes == 1000000);
}

TEST_CASE("the limit that passed first is the one that is blamed") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest deadline = limited("exec sleep 60", 20000);
  deadline.deadline = system_clock().monotonic() + Duration::millis(100);
  CHECK(run(sandbox, deadline).exit.reason == EndReason::timed_out);
  // The deadline passes within the grace.
  StartRequest silent = limited("trap '' TERM; while :; do sleep 1; done", 300);
  silent.deadline = system_clock().monotonic() + Duration::millis(500);
  silent.grace = Duration::millis(600);
  CHECK(run(sandbox, silent).exit.reason == EndReason::no_progress);
}

TEST_CASE("without a supervisor the limit holds, and the journal says which it was") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  Sandbox first = fixture.create(spec);
  StartRequest start = limited("exec sleep 60", 200);
  REQUIRE(first.connection.start(start, {}, {}, {}));
  wait_for<AttemptStarted>(first);
  first.connection = InitConnection();
  auto second = fixture.manager().adopt_sandbox(first.identity);
  REQUIRE(second);
  CHECK(wait_for<AttemptExit>(*second).reason == EndReason::no_progress);
  auto journal = read_exit_journal(spec.exit_journal);
  REQUIRE(journal);
  REQUIRE(journal->size() == 1);
  CHECK(journal->front().reason == EndReason::no_progress);
}

TEST_CASE("a worker may be silent") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = limited("exec sleep 60", 50);
  start.worker = true;
  start.deadline = system_clock().monotonic() + Duration::millis(500);
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  CHECK(wait_for<AttemptExit>(sandbox).reason == EndReason::timed_out);
}
