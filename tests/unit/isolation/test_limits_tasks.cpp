// SPDX-License-Identifier: Apache-2.0
// Limits of a task's process, of its memory file systems and of its output: each is passed by an
// attack that succeeds without the limit and fails with it.
#include <signal.h>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

constexpr uint64_t k_mib = uint64_t{1} << 20;

// Exit codes of a script in a sandbox with the limits, and in one with the usual ones.
struct Limited {
  Fixture fixture;
  Sandbox usual = fixture.create();
  Sandbox limited;

  explicit Limited(const Limits& limits) : limited(make(limits)) {}
  Sandbox make(const Limits& limits) {
    SandboxSpec spec = fixture.spec();
    spec.limits = limits;
    return fixture.create(spec);
  }
  void check(const std::string& script) {
    INFO(script);
    CHECK(run_shell(usual, script).exit.exit_code == 0);
    CHECK(run_shell(limited, script).exit.exit_code != 0);
  }
};

Limits with(uint64_t Limits::*member, uint64_t value) {
  Limits limits;
  limits.*member = value;
  return limits;
}

std::string write_to(const std::string& path) {
  return "dd if=/dev/zero of=" + path + " bs=64k count=64 status=none; s=$?; rm -f " + path +
         "; exit $s";
}

}  // namespace

TEST_CASE("descriptors are limited, however much is asked for") {
  Limits limits;
  limits.nofile = 64;
  Limited both(limits);
  both.check(
      "python3 -c '\nimport os, resource\n"
      "resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) "
      "* 2)\nfor i in range(5000): os.dup(1)'");
  CHECK(run_shell(both.limited, "ulimit -Hn; ulimit -Sn").out == "64\n64\n");
  CHECK(run_shell(both.usual, "ulimit -Hn; ulimit -Sn").out == "16384\n1024\n");
}

TEST_CASE("the size of a file is limited, and the end says so") {
  Limited both(with(&Limits::file_size_bytes, k_mib));
  both.check(write_to("/work/file"));
  both.check("exec python3 -c 'open(\"/work/f\", \"w\").truncate(3 << 20)'");
  const Outcome outcome =
      run(both.limited, request({"dd", "if=/dev/zero", "of=/work/file", "bs=64k", "count=64"}));
  CHECK(outcome.exit.signal == SIGXFSZ);
}

TEST_CASE("memory file systems have the size that was asked for") {
  {
    Limited both(with(&Limits::tmp_bytes, k_mib));
    both.check(write_to("/tmp/file"));
    CHECK(run_shell(both.limited, write_to("/dev/shm/file")).exit.exit_code == 0);
  }
  Limited both(with(&Limits::shm_bytes, k_mib));
  both.check(write_to("/dev/shm/file"));
  CHECK(run_shell(both.limited, write_to("/tmp/file")).exit.exit_code == 0);
}

TEST_CASE("what belongs to the machine is limited without being asked for") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.limits.pids = 100;
  Sandbox sandbox = fixture.create(spec);
  const std::string limits = run_shell(sandbox, "cat /proc/self/limits").out;
  for (const char* line : {
           "Max core file size        0                    0",
           "Max locked memory         8388608              8388608",
           "Max pending signals       800                  800",
           "Max msgqueue size         819200               819200",
           "Max nice priority         0                    0",
           "Max realtime priority     0                    0",
       }) {
    INFO(limits);
    CHECK(limits.find(line) != std::string::npos);
  }
  const std::string queue_signals =
      "exec python3 -c '\nimport ctypes, os, signal\n"
      "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])\n"
      "libc = ctypes.CDLL(None)\n"
      "for i in range(1000):\n"
      "  if libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), None) != 0: os._exit(1)\n"
      "os._exit(0)'";
  CHECK(run_shell(sandbox, queue_signals).exit.exit_code == 1);
  Sandbox usual = fixture.create();  // 512 processes: 4096 signals
  CHECK(run_shell(usual, queue_signals).exit.exit_code == 0);
}

TEST_CASE("output comes no faster than its rate, all of it, and waiting is no silence") {
  Limited both(with(&Limits::output_rate, 200000));
  const auto timed = [](Sandbox& sandbox) {
    StartRequest start = shell("head -c 600000 /dev/zero; head -c 600000 /dev/zero >&2");
    start.no_progress = Duration::millis(700);
    const MonoTime began = system_clock().monotonic();
    const Outcome outcome = run(sandbox, start);
    CHECK(outcome.exit.reason == EndReason::exited);
    CHECK(outcome.out.size() == 600000);
    CHECK(outcome.err.size() == 600000);
    return (system_clock().monotonic() - began).to_seconds();
  };
  // A second's worth may come at once, and the pipe holds 64 KiB at its end: of each stream about
  // 330,000 bytes have to wait.
  const double slow = timed(both.limited);
  CHECK(slow > 2.5);
  CHECK(timed(both.usual) < slow / 2);
}

TEST_CASE("a task that is stopped while its output waits ends at once") {
  Limited both(with(&Limits::output_rate, 1000));
  StartRequest start = shell("cat /dev/zero");
  start.deadline = system_clock().monotonic() + Duration::millis(300);
  const Outcome outcome = run(both.limited, start);
  CHECK(outcome.exit.reason == EndReason::timed_out);
  CHECK(outcome.out.size() < 200000);
}

TEST_CASE("an end tells what else it met") {
  Fixture fixture;
  if (!fixture.manager().features().pids || !fixture.manager().features().cpu) return;
  SandboxSpec spec = fixture.spec();
  spec.limits.pids = 20;
  spec.limits.cpu_millicores = 100;
  Sandbox sandbox = fixture.create(spec);
  const Outcome quiet = run_shell(sandbox, "exit 3");
  CHECK(quiet.exit.pids_refused == 0);
  CHECK_FALSE(quiet.exit.memory_met);
  const Outcome bomb =
      run_shell(sandbox, "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i + 1)); done; exit 1");
  CHECK(bomb.exit.pids_refused > 0);
  StartRequest spin = shell("while :; do :; done");
  spin.deadline = system_clock().monotonic() + Duration::millis(900);
  const Outcome busy = run(sandbox, spin);
  CHECK(busy.exit.reason == EndReason::timed_out);
  CHECK(busy.exit.cpu_throttled > Duration::millis(100));
  CHECK(run_shell(sandbox, "exit 0").exit.pids_refused == 0);
}

TEST_CASE("an end tells what went to disk, of children too") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  const Outcome outcome =
      run_shell(sandbox, "dd if=/dev/zero of=/work/f bs=1M count=8 conv=fsync status=none; true");
  CHECK(outcome.exit.io_written_bytes >= 8 * k_mib);
  CHECK(outcome.exit.io_written_bytes < 16 * k_mib);
  CHECK(run_shell(sandbox, "true").exit.io_written_bytes == 0);
}

TEST_CASE("a limit that is watched from outside ends what runs, and the next can start") {
  Fixture fixture;
  for (const IsolationLevel level : {IsolationLevel::process, IsolationLevel::none}) {
    Sandbox sandbox = fixture.create(level);
    StartRequest start = shell("trap '' TERM; echo x; while :; do sleep 1; done");
    Fd none;
    REQUIRE(sandbox.connection.start(start, none, none, none));
    wait_for<AttemptStarted>(sandbox);
    REQUIRE(sandbox.connection.over_limit(EndReason::disk, "held 2 GiB, more than 1 GiB"));
    const AttemptExit exit = wait_for<AttemptExit>(sandbox);
    CHECK(exit.reason == EndReason::disk);
    CHECK(exit.message == "held 2 GiB, more than 1 GiB");
    (void)sandbox.connection.acknowledge_exit(exit.attempt);
    REQUIRE(sandbox.connection.over_limit(EndReason::disk, "again"));  // nothing runs
    const Outcome next = run_shell(sandbox, "echo y");
    CHECK(next.exit.reason == EndReason::exited);
    CHECK(next.exit.message.empty());
    CHECK(next.out == "y\n");
  }
}
