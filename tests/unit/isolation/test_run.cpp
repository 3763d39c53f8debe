// SPDX-License-Identifier: Apache-2.0
// One attempt from start to end: its streams, its exit.
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace fabric;
using namespace fabric::test;

TEST_CASE("output, input and exit code of a command") {
  Fixture fixture;
  for (auto level : {IsolationLevel::process, IsolationLevel::none}) {
    Sandbox sandbox = fixture.create(level);
    Outcome outcome = run_shell(sandbox, "cat; echo err >&2; exit 7", "hello\n");
    CHECK(outcome.out == "hello\n");
    CHECK(outcome.err == "err\n");
    CHECK(outcome.exit.reason == EndReason::exited);
    CHECK(outcome.exit.exit_code == 7);
    CHECK(outcome.exit.signal == 0);
    CHECK(outcome.exit.stdout_bytes == 6);
    CHECK(outcome.exit.ended_at.set());
  }
}

TEST_CASE("a sandbox runs one attempt after the other, and large input goes through") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  const std::string large(3 << 20, 'x');
  CHECK(run_shell(sandbox, "wc -c", large).out == "3145728\n");
  for (int i = 0; i < 50; ++i) CHECK(run(sandbox, request({"true"})).exit.exit_code == 0);
  CHECK(run_shell(sandbox, "cat", large).out == large);
  CHECK(run_shell(sandbox, "exit 0", large).exit.exit_code == 0);  // nobody reads it
}

TEST_CASE("death by signal is told as such") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  Outcome outcome = run_shell(sandbox, "kill -SEGV $$");
  CHECK(outcome.exit.signal == 11);
  CHECK(outcome.exit.reason == EndReason::exited);
}

TEST_CASE("what cannot be executed is not started, with the code that shells use") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  Outcome missing = run(sandbox, request({"no-such-command"}));
  CHECK(missing.exit.reason == EndReason::not_started);
  CHECK(missing.exit.exit_code == 127);
  CHECK(missing.exit.message == "command not found: no-such-command");
  Outcome directory = run(sandbox, request({"/usr"}));
  CHECK(directory.exit.reason == EndReason::not_started);
  CHECK(directory.exit.exit_code == 126);
  CHECK(run_shell(sandbox, "echo still alive").out == "still alive\n");
}

TEST_CASE("output beyond the limit is counted and dropped") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = shell("head -c 5000000 /dev/zero; head -c 100 /dev/zero >&2");
  start.output_limit = 100000;
  Outcome outcome = run(sandbox, start);
  CHECK(outcome.out.size() == 100000);
  CHECK(outcome.exit.stdout_bytes == 100000);
  CHECK(outcome.exit.stdout_dropped == 4900000);
  CHECK(outcome.exit.stderr_bytes == 100);
  CHECK(outcome.exit.stderr_dropped == 0);
}

TEST_CASE("an environment is what was given, with HOME at the work directory") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = request({"env"});
  start.env = {"PATH=/usr/bin", "A=b"};
  CHECK(run(sandbox, start).out == "PATH=/usr/bin\nA=b\nHOME=/work\n");
  CHECK(run_shell(sandbox, "pwd").out == "/work\n");
}

TEST_CASE("start refuses what is too large or empty") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = request({"true", std::string(k_max_start_bytes, 'x')});
  CHECK(sandbox.connection.start(start, {}, {}, {}).error().code == ErrorCode::usage);
  start.argv.clear();
  CHECK(sandbox.connection.start(start, {}, {}, {}).error().code == ErrorCode::usage);
  start.argv = {"true", std::string(100 << 10, 'x')};  // several packets
  CHECK(run(sandbox, start).exit.exit_code == 0);
}

TEST_CASE("a command by relative path is relative to the work directory") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  run_shell(sandbox, "printf '#!/bin/sh\\necho mine\\n' > tool; chmod +x tool");
  CHECK(run(sandbox, request({"./tool"})).out == "mine\n");
}

TEST_CASE("several attempts at once, each in its slot") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.slots = 3;
  Sandbox sandbox = fixture.create(spec);
  Fd out(::memfd_create("out", MFD_CLOEXEC));
  for (uint32_t slot = 0; slot < 3; ++slot) {
    StartRequest start = shell("echo x; sleep 0.1");
    start.slot = slot;
    REQUIRE(sandbox.connection.start(start, {}, out, {}));
  }
  StartRequest busy = shell("true");
  busy.slot = 1;
  REQUIRE(sandbox.connection.start(busy, {}, {}, {}));
  auto refused = wait_for<AttemptExit>(sandbox);
  CHECK(refused.attempt == busy.attempt);
  CHECK(refused.reason == EndReason::not_started);
  for (int i = 0; i < 3; ++i) CHECK(wait_for<AttemptExit>(sandbox).exit_code == 0);
  CHECK(::lseek(out.get(), 0, SEEK_END) == 6);
}

TEST_CASE("a started attempt is named by its host pid") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = shell("sleep 30");
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  auto started = wait_for<AttemptStarted>(sandbox);
  CHECK(started.attempt == start.attempt);
  auto text = read_file("/proc/" + std::to_string(started.pid) + "/comm");
  REQUIRE(text);
  CHECK((*text == "sh\n" || *text == "sleep\n"));
}
