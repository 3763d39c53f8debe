// SPDX-License-Identifier: Apache-2.0
// Ends that come from outside: signals, stop and kill, deadlines, limits.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

StartRequest started(Sandbox& sandbox, const std::string& script) {
  StartRequest start = shell(script);
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  wait_for<AttemptStarted>(sandbox);
  return start;
}

}  // namespace

TEST_CASE("a signal reaches the process group") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = started(sandbox, "trap 'exit 9' USR1; while :; do sleep 0.01; done");
  for (int i = 0; i < 20; ++i) {  // the trap may not stand yet: the default action ends it too
    if (next_event(sandbox, 10)) break;
  }
  REQUIRE(sandbox.connection.signal(start.attempt, 10));
  auto exit = wait_for<AttemptExit>(sandbox);
  CHECK((exit.exit_code == 9 || exit.signal == 10));
  CHECK(exit.reason == EndReason::exited);
}

TEST_CASE("stop sends the stop signal, and kills after the grace") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest polite = started(sandbox, "sleep 30");
  REQUIRE(sandbox.connection.stop(polite.attempt, Duration::seconds(20)));
  auto exit = wait_for<AttemptExit>(sandbox);
  CHECK(exit.signal == 15);
  CHECK(exit.reason == EndReason::stopped);

  StartRequest stubborn = shell("trap '' TERM; echo ready; sleep 30");
  REQUIRE(sandbox.connection.start(stubborn, {}, {}, {}));
  wait_for<AttemptStarted>(sandbox);
  next_event(sandbox, 100);
  REQUIRE(sandbox.connection.stop(stubborn.attempt, Duration::millis(50)));
  exit = wait_for<AttemptExit>(sandbox);
  CHECK((exit.signal == 9 || exit.signal == 15));
  CHECK(exit.reason == EndReason::stopped);
}

TEST_CASE("kill ends everything at once") {
  Fixture fixture;
  for (auto level : {IsolationLevel::process, IsolationLevel::none}) {
    Sandbox sandbox = fixture.create(level);
    StartRequest start = started(sandbox, "trap '' TERM; setsid sleep 30 & sleep 30");
    REQUIRE(sandbox.connection.kill(start.attempt));
    auto exit = wait_for<AttemptExit>(sandbox);
    CHECK(exit.signal == 9);
    CHECK(exit.reason == EndReason::stopped);
    CHECK(processes(sandbox) == 0);
  }
}

TEST_CASE("a deadline is kept by the init itself") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = shell("trap '' TERM; while :; do sleep 1; done");
  start.deadline = system_clock().monotonic() + Duration::millis(80);
  start.grace = Duration::millis(50);
  MonoTime before = system_clock().monotonic();
  Outcome outcome = run(sandbox, start);
  CHECK(outcome.exit.reason == EndReason::timed_out);
  CHECK((system_clock().monotonic() - before).to_millis() < 3000);
}

TEST_CASE("nothing survives its task, not even daemons") {
  Fixture fixture;
  for (auto level : {IsolationLevel::process, IsolationLevel::none}) {
    Sandbox sandbox = fixture.create(level);
    Outcome outcome =
        run_shell(sandbox, "for i in 1 2 3; do setsid sh -c 'sleep 60 & sleep 60' & done; exit 3");
    CHECK(outcome.exit.exit_code == 3);
    CHECK(processes(sandbox) == 0);
  }
}

TEST_CASE("orphans are reaped while their attempt runs") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  Outcome outcome = run_shell(
      sandbox, "for i in $(seq 200); do (true &) ; done; sleep 0.2; ps -e -o stat | grep -c Z");
  CHECK(outcome.out == "0\n");
}

TEST_CASE("the memory limit ends an attempt and is blamed") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.limits.memory_bytes = 40 << 20;
  spec.slots = 2;
  Sandbox sandbox = fixture.create(spec);
  StartRequest bystander = shell("sleep 30");
  bystander.slot = 1;
  REQUIRE(sandbox.connection.start(bystander, {}, {}, {}));
  wait_for<AttemptStarted>(sandbox);
  const std::string eat = "x = b'x' * (200 << 20)";
  Outcome outcome = run(sandbox, request({"python3", "-c", eat}));
  CHECK(outcome.exit.reason == EndReason::memory);
  CHECK(outcome.exit.signal == 9);
  CHECK(outcome.exit.memory_peak_bytes > (30 << 20));
  auto usage = fixture.manager().get_resource_usage(sandbox.identity);
  REQUIRE(usage);
  CHECK(usage->oom_kills == 1);
  CHECK(usage->pids >= 1);
  // The next attempt in the slot starts with clean counters.
  Outcome next = run(sandbox, request({"true"}));
  CHECK(next.exit.reason == EndReason::exited);
  CHECK(next.exit.memory_peak_bytes < (30 << 20));
  REQUIRE(sandbox.connection.kill(bystander.attempt));
  CHECK(wait_for<AttemptExit>(sandbox).reason == EndReason::stopped);
}

TEST_CASE("a fork bomb stays in its limit") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.limits.pids = 30;
  Sandbox sandbox = fixture.create(spec);
  StartRequest start = shell("bomb() { bomb | bomb & }; bomb; sleep 1; exit 0");
  start.deadline = system_clock().monotonic() + Duration::seconds(10);
  start.grace = Duration{};
  Outcome outcome = run(sandbox, start);
  CHECK(outcome.err.find("ork") != std::string::npos);
  CHECK(processes(sandbox) == 0);
  CHECK(run(sandbox, request({"true"})).exit.exit_code == 0);
}

TEST_CASE("processor time is limited and measured, children included") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.limits.cpu_millicores = 200;
  Sandbox sandbox = fixture.create(spec);
  Outcome outcome = run_shell(sandbox, "(timeout 0.6 sh -c 'while :; do :; done') & wait");
  CHECK(outcome.exit.cpu >= Duration::millis(30));
  CHECK(outcome.exit.cpu < Duration::millis(350));
  auto usage = fixture.manager().get_resource_usage(sandbox.identity);
  REQUIRE(usage);
  CHECK(usage->cpu >= outcome.exit.cpu);
}
