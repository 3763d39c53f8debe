// SPDX-License-Identifier: Apache-2.0
// Workers: lines in, lines out, acknowledged and resent.
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

StartRequest worker(const std::string& script) {
  StartRequest start = shell(script);
  start.worker = true;
  return start;
}

}  // namespace

TEST_CASE("a worker answers line by line") {
  Fixture fixture;
  for (auto level : {IsolationLevel::process, IsolationLevel::none}) {
    Sandbox sandbox = fixture.create(level);
    StartRequest start = worker("while read -r line; do echo \"got $line\"; done");
    REQUIRE(sandbox.connection.start(start, {}, {}, {}));
    for (uint64_t i = 1; i <= 3; ++i) {
      REQUIRE(sandbox.connection.write_line(start.attempt, i, "{\"n\":" + std::to_string(i) + "}"));
      auto line = wait_for<WorkerLine>(sandbox);
      CHECK(line.attempt == start.attempt);
      CHECK(line.sequence == i);
      CHECK(line.text == "got {\"n\":" + std::to_string(i) + "}");
      REQUIRE(sandbox.connection.acknowledge_line(start.attempt, i));
    }
    REQUIRE(sandbox.connection.write_line(start.attempt, 2, "said before"));  // dropped
    REQUIRE(sandbox.connection.write_line(start.attempt, 0, "no key"));
    CHECK(wait_for<WorkerLine>(sandbox).text == "got no key");
    REQUIRE(sandbox.connection.kill(start.attempt));
    wait_for<AttemptExit>(sandbox);
  }
}

TEST_CASE("lines that were not acknowledged come again, even after the worker's end") {
  Fixture fixture;
  Sandbox first = fixture.create();
  StartRequest start = worker("echo one; echo two; printf three");
  REQUIRE(first.connection.start(start, {}, {}, {}));
  for (const char* text : {"one", "two", "three"}) CHECK(wait_for<WorkerLine>(first).text == text);
  auto exit = wait_for<AttemptExit>(first);  // after the last line
  CHECK(exit.attempt == start.attempt);
  REQUIRE(first.connection.acknowledge_line(start.attempt, 1));
  first.connection = InitConnection();
  auto second = fixture.manager().adopt_sandbox(first.identity);
  REQUIRE(second);
  CHECK(wait_for<WorkerLine>(*second).text == "two");
  auto last = wait_for<WorkerLine>(*second);
  CHECK(last.text == "three");
  CHECK(last.sequence == 3);
  CHECK(wait_for<AttemptExit>(*second).attempt == start.attempt);
}

TEST_CASE("long lines arrive whole, too long ones are cut and marked") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = worker(
      "head -c 1000000 /dev/zero | tr '\\0' a; echo; head -c 1500000 /dev/zero | tr '\\0' b; echo; "
      "echo end");
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  auto whole = wait_for<WorkerLine>(sandbox);
  CHECK(whole.text == std::string(1000000, 'a'));
  CHECK_FALSE(whole.truncated);
  auto cut = wait_for<WorkerLine>(sandbox);
  CHECK(cut.text == std::string(k_max_line, 'b'));
  CHECK(cut.truncated);
  CHECK(wait_for<WorkerLine>(sandbox).text == "end");
}

TEST_CASE("a long request goes through, and comes back") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = worker("exec cat");
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  const std::string line(1 << 20, 'r');
  for (uint64_t i = 1; i <= 3; ++i) REQUIRE(sandbox.connection.write_line(start.attempt, i, line));
  for (int i = 0; i < 3; ++i) {
    REQUIRE(sandbox.connection.flush());
    CHECK(wait_for<WorkerLine>(sandbox).text == line);
  }
}

TEST_CASE("a worker whose lines nobody acknowledges is held, and loses nothing") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  // 40 MB in 1000-byte lines: ten times what is kept.
  StartRequest start = worker("yes " + std::string(999, 'y') + " | head -n 40000; echo done >&2");
  Fd log(::memfd_create("log", MFD_CLOEXEC));
  REQUIRE(sandbox.connection.start(start, {}, {}, log));
  uint64_t received = 0;
  // Without acknowledgement only what is kept arrives.
  while (auto event = next_event(sandbox, 300))
    if (std::get_if<WorkerLine>(&*event) != nullptr) ++received;
  CHECK(received > 4000);
  CHECK(received < 4500);
  CHECK(::lseek(log.get(), 0, SEEK_END) == 0);
  REQUIRE(sandbox.connection.acknowledge_line(start.attempt, received));
  for (;;) {
    auto event = next_event(sandbox, 20000);
    REQUIRE(event);
    if (const auto* line = std::get_if<WorkerLine>(&*event)) {
      ++received;
      REQUIRE(line->sequence == received);
      if (received % 100 == 0)
        REQUIRE(sandbox.connection.acknowledge_line(start.attempt, received));
    } else if (std::get_if<AttemptExit>(&*event) != nullptr) {
      break;
    }
    if (received == 40000) REQUIRE(sandbox.connection.acknowledge_line(start.attempt, received));
  }
  CHECK(received == 40000);
}

TEST_CASE("a worker that does not read its requests is ended, not fed without bound") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = worker("sleep 60");
  REQUIRE(sandbox.connection.start(start, {}, {}, {}));
  const std::string line(1 << 20, 'r');
  for (uint64_t i = 1; i <= 6; ++i) REQUIRE(sandbox.connection.write_line(start.attempt, i, line));
  for (int i = 0; i < 500 && sandbox.connection.wants_write(); ++i) {
    REQUIRE(sandbox.connection.flush());
    ::usleep(1000);
  }
  auto exit = wait_for<AttemptExit>(sandbox);
  CHECK(exit.reason == EndReason::stopped);
  CHECK(exit.message.find("did not read") != std::string::npos);
}

TEST_CASE("a worker's stderr keeps what is newest within its limit") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  StartRequest start = worker("seq 1 100000 >&2");
  start.output_limit = 65536;
  Fd log = open_file(fixture.path("log"), 02 | 0100, 0600).value();  // O_RDWR | O_CREAT
  REQUIRE(sandbox.connection.start(start, {}, {}, log));
  wait_for<AttemptExit>(sandbox);
  auto text = read_file(fixture.path("log"));
  REQUIRE(text);
  CHECK(text->size() <= 65536);
  CHECK(text->size() >= 32768);
  CHECK(text->ends_with("\n99999\n100000\n"));
}
