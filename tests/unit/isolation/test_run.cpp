// SPDX-License-Identifier: Apache-2.0
// One attempt from start to end: its streams, its exit.
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
  }
}
