// SPDX-License-Identifier: Apache-2.0
// What a sandbox uses, as seen from outside while it runs.
#include <fcntl.h>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

// Starts it and waits until it has said "ready" on stdout.
AttemptId start_and_wait(Fixture& fixture, Sandbox& sandbox, const std::string& script,
                         uint32_t slot = 0) {
  StartRequest start = shell(script);
  start.slot = slot;
  const std::string path = fixture.path("out" + std::to_string(start.attempt));
  const Fd file = open_file(path, O_RDWR | O_CREAT, 0600).value();
  const Fd none;
  REQUIRE(sandbox.connection.start(start, none, file, none));
  const MonoTime deadline = system_clock().monotonic() + Duration::seconds(20);
  while (read_file(path).value().empty()) {
    REQUIRE(system_clock().monotonic() < deadline);
    (void)next_event(sandbox, 10);
  }
  return start.attempt;
}

}  // namespace

TEST_CASE("use is told by attempt") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.slots = 2;
  if (!fixture.manager().features().cgroup_kill) spec.slots = 1;
  Sandbox sandbox = fixture.create(spec);
  const auto usage = [&] { return fixture.manager().get_resource_usage(sandbox.identity).value(); };
  CHECK(usage().attempts.empty());
  CHECK(run_shell(sandbox, "dd if=/dev/zero of=f bs=1M count=4 conv=fsync status=none")
            .exit.exit_code == 0);
  CHECK(usage().io_written_bytes >= 4 << 20);
  CHECK(usage().attempts.empty());

  const AttemptId first = start_and_wait(
      fixture, sandbox,
      "exec python3 -c '\nimport os, time\nx = bytearray(40 << 20)\n"
      "f = open(\"g\", \"wb\"); f.write(bytes(2 << 20)); f.flush(); os.fsync(f.fileno())\n"
      "t = time.monotonic()\nwhile time.process_time() < 0.2: pass\n"
      "print(\"ready\", flush=True)\ntime.sleep(60)'");
  ResourceUsage now = usage();
  REQUIRE(now.attempts.size() == 1);
  const AttemptUsage attempt = now.attempts[0];
  CHECK(attempt.attempt == first);
  CHECK(attempt.slot == 0);
  CHECK(attempt.memory_bytes >= 40 << 20);
  CHECK(attempt.memory_bytes < 200 << 20);
  CHECK(attempt.cpu >= Duration::millis(200));
  CHECK(attempt.cpu < Duration::seconds(5));
  CHECK(attempt.processes == 1);
  CHECK(attempt.io_written_bytes >= 2 << 20);
  CHECK(attempt.started_at <= system_clock().now());
  CHECK(now.io_written_bytes >= 6 << 20);
  if (spec.slots < 2) return;

  const AttemptId second = start_and_wait(fixture, sandbox, "sleep 60 & echo ready; wait", 1);
  now = usage();
  REQUIRE(now.attempts.size() == 2);
  CHECK(now.attempts[1].attempt == second);
  CHECK(now.attempts[1].processes == 2);
  CHECK(now.attempts[1].memory_bytes < 20 << 20);
  CHECK(now.attempts[1].cpu < Duration::millis(200));
  REQUIRE(sandbox.connection.kill(first));
  wait_for<AttemptExit>(sandbox);
  CHECK(usage().attempts.size() == 1);
  CHECK(usage().attempts[0].attempt == second);
}

TEST_CASE("refused processes and lost processor time are counted") {
  Fixture fixture;
  if (!fixture.manager().features().pids || !fixture.manager().features().cpu) return;
  SandboxSpec spec = fixture.spec();
  spec.limits.pids = 10;
  spec.limits.cpu_millicores = 100;
  Sandbox sandbox = fixture.create(spec);
  const auto usage = [&] { return fixture.manager().get_resource_usage(sandbox.identity).value(); };
  CHECK(usage().pids_refused == 0);
  const AttemptId attempt =
      start_and_wait(fixture, sandbox,
                     "exec python3 -c '\nimport os, time\ntry:\n  while True:\n    if os.fork() == "
                     "0: time.sleep(60)\n"
                     "except OSError: pass\nwhile time.process_time() < 0.1: pass\n"
                     "print(\"ready\", flush=True)\ntime.sleep(60)'");
  const ResourceUsage now = usage();
  CHECK(now.pids_refused > 0);
  CHECK(now.pids == 10);
  CHECK(now.cpu_throttled > Duration{});
  REQUIRE(now.attempts.size() == 1);
  CHECK(now.attempts[0].attempt == attempt);
  CHECK(now.attempts[0].pids_refused == now.pids_refused);
}

TEST_CASE("what goes through the network of a sandbox is counted, of the host's it is not") {
  Fixture fixture;
  const std::string send =
      "python3 -c '\nimport socket\na = socket.create_server((\"127.0.0.1\", 0))\n"
      "b = socket.create_connection(a.getsockname())\nc, _ = a.accept()\n"
      "for i in range(100): b.sendall(bytes(10000)); c.recv(10000, socket.MSG_WAITALL)'";
  Sandbox inside = fixture.create();
  const uint64_t before =
      fixture.manager().get_resource_usage(inside.identity).value().net_sent_bytes.value();
  REQUIRE(run_shell(inside, send).exit.exit_code == 0);
  const ResourceUsage usage = fixture.manager().get_resource_usage(inside.identity).value();
  CHECK(usage.net_sent_bytes.value() - before >= 1000000);
  CHECK(usage.net_received_bytes.value() >= 1000000);
  CHECK(usage.net_sent_bytes.value() - before < 2000000);
  Sandbox outside = fixture.create(IsolationLevel::none);
  CHECK_FALSE(fixture.manager().get_resource_usage(outside.identity).value().net_sent_bytes);
}
