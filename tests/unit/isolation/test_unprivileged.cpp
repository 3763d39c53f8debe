// SPDX-License-Identifier: Apache-2.0
// The same as an ordinary user: this program runs itself once more as one.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "fixture.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

SandboxSpec unlimited(Fixture& fixture, IsolationLevel level = IsolationLevel::process) {
  SandboxSpec spec = fixture.spec(level);
  if (fixture.manager().features().cgroups == CgroupMode::none) spec.limits = {0, 0, 0};
  return spec;
}

}  // namespace

TEST_CASE("an ordinary user has sandboxes too") {
  if (::getuid() != 0) return;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  CHECK(std::system(("setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all '" + self +
                     "' '[unprivileged]'")
                        .c_str()) == 0);
}

TEST_CASE("without a cgroup a limit is refused, with what to type", "[.][unprivileged]") {
  Fixture fixture;
  REQUIRE(fixture.manager().features().namespaces);
  if (fixture.manager().features().memory) return;
  auto refused = fixture.try_create(fixture.spec());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::unavailable);
  CHECK(refused.error().hint.find("systemd-run --user --scope -p Delegate=yes") !=
        std::string::npos);
  SandboxSpec two = unlimited(fixture);
  two.slots = 2;
  CHECK(fixture.try_create(two).error().code == ErrorCode::unavailable);
}

TEST_CASE("walls, streams and ends without privileges", "[.][unprivileged]") {
  Fixture fixture;
  Sandbox sandbox = fixture.create(unlimited(fixture));
  Outcome outcome = run_shell(sandbox, "cat; id -u; pwd; echo e >&2; exit 3", "in\n");
  CHECK(outcome.out == "in\n" + std::to_string(::getuid()) + "\n/work\n");
  CHECK(outcome.err == "e\n");
  CHECK(outcome.exit.exit_code == 3);
  CHECK(run_shell(sandbox, "grep -E 'Cap|NoNew|Seccomp:' /proc/self/status").out ==
        "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
        "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
  CHECK(run_shell(sandbox, "ls /root || ls /var || ls /home").exit.exit_code != 0);
  CHECK(run_shell(sandbox, "touch /x || touch /usr/x || touch /etc/x").exit.exit_code != 0);
  CHECK(run_shell(sandbox, "echo x > file && cat file && echo y > /tmp/y").out == "x\n");
  struct stat status {};
  REQUIRE(::stat(fixture.work("file").c_str(), &status) == 0);
  CHECK(status.st_uid == ::getuid());
}

TEST_CASE("nothing survives its task without privileges", "[.][unprivileged]") {
  Fixture fixture;
  Sandbox sandbox = fixture.create(unlimited(fixture));
  CHECK(run_shell(sandbox, "setsid sleep 60 & setsid sleep 60 & exit 0").exit.exit_code == 0);
  CHECK(run_shell(sandbox, "ls -d /proc/[0-9]* | wc -l").out.size() == 2);  // init, sh, ls, wc
  StartRequest start = shell("trap '' TERM; setsid sleep 60 & sleep 60");
  start.deadline = system_clock().monotonic() + Duration::millis(50);
  start.grace = Duration::millis(10);
  CHECK(run(sandbox, start).exit.reason == EndReason::timed_out);
  auto again = fixture.manager().adopt_sandbox(sandbox.identity);
  REQUIRE(again);
  CHECK(run(*again, request({"true"})).exit.exit_code == 0);
  REQUIRE(fixture.manager().destroy_sandbox(sandbox.identity));
  CHECK(::access(("/proc/" + std::to_string(sandbox.identity.pid)).c_str(), F_OK) != 0);
}

TEST_CASE("level none without privileges", "[.][unprivileged]") {
  Fixture fixture;
  Sandbox sandbox = fixture.create(unlimited(fixture, IsolationLevel::none));
  CHECK(run_shell(sandbox, "exit 6").exit.exit_code == 6);
  CHECK(run_shell(sandbox, "pwd").out == fixture.directory() + "/work\n");
  REQUIRE(fixture.manager().destroy_sandbox(sandbox.identity));
}
