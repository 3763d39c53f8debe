// SPDX-License-Identifier: Apache-2.0
// Making and removing sandboxes: what is refused, and that nothing is left.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "fixture.hpp"
#include "isolation/cgroup_host.hpp"
#include "isolation/sandbox_cgroup.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

std::vector<std::string> groups() {
  auto host = open_cgroup_host("fabric-test-" + std::to_string(::getpid()));
  REQUIRE(host);
  return list_sandbox_cgroups(*host);
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

TEST_CASE("destroying leaves nothing and may be repeated") {
  Fixture fixture;
  for (auto level : {IsolationLevel::process, IsolationLevel::none}) {
    SandboxSpec spec = fixture.spec(level);
    Sandbox sandbox = fixture.create(spec);
    REQUIRE(sandbox.connection.start(shell("setsid sleep 60 & sleep 60"), {}, {}, {}));
    wait_for<AttemptStarted>(sandbox);
    CHECK(exists(spec.control_socket));
    CHECK(groups().size() == 1);
    REQUIRE(fixture.manager().destroy_sandbox(sandbox.identity));
    CHECK_FALSE(exists("/proc/" + std::to_string(sandbox.identity.pid)));
    CHECK_FALSE(exists(spec.control_socket));
    CHECK(exists(spec.exit_journal));
    CHECK(groups().empty());
    REQUIRE(fixture.manager().destroy_sandbox(sandbox.identity));
  }
}

TEST_CASE("a command that is not there fails the making, and leaves nothing") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  spec.probe_command = "no-such-agent";
  auto sandbox = fixture.try_create(spec);
  REQUIRE_FALSE(sandbox);
  CHECK(sandbox.error().message == "agent1: command not found: no-such-agent");
  CHECK(sandbox.error().code == ErrorCode::not_found);
  CHECK(groups().empty());
  CHECK_FALSE(exists(spec.control_socket));

  std::filesystem::create_directories(fixture.directory() + "/secret");
  REQUIRE(write_file_atomically(fixture.path("secret/tool"), "#!/bin/sh\n", 0755));
  spec.probe_command = fixture.path("secret/tool");  // there outside, not inside
  CHECK_FALSE(fixture.try_create(spec));

  REQUIRE(write_file_atomically(fixture.work("script"), "#!/usr/bin/no-python\n", 0755));
  spec.probe_command = "./script";
  sandbox = fixture.try_create(spec);
  REQUIRE_FALSE(sandbox);
  CHECK(sandbox.error().message == "agent1: interpreter not found: /usr/bin/no-python");

  REQUIRE(write_file_atomically(fixture.work("data"), "text\n", 0644));
  spec.probe_command = "./data";
  sandbox = fixture.try_create(spec);
  REQUIRE_FALSE(sandbox);
  CHECK(sandbox.error().message == "agent1: command not executable: ./data");
  spec.probe_command = "sh";
  CHECK(fixture.try_create(spec));
}

TEST_CASE("what is not possible is refused before anything is made") {
  Fixture fixture;
  SandboxSpec spec = fixture.spec(IsolationLevel::container);
  CHECK(fixture.try_create(spec).error().code == ErrorCode::usage);  // without a root
  spec.level = IsolationLevel::process;
  spec.work_dir = fixture.path("nowhere");
  CHECK(fixture.try_create(spec).error().code == ErrorCode::usage);
  spec.work_dir = fixture.directory() + "/work";
  spec.slots = 0;
  CHECK(fixture.try_create(spec).error().code == ErrorCode::usage);
  spec.slots = 1;
  spec.cgroup = "../escape";
  CHECK(fixture.try_create(spec).error().code == ErrorCode::usage);
  CHECK(groups().empty());
}

TEST_CASE("remove_unknown kills and removes what nobody claims") {
  Fixture fixture;
  Sandbox kept = fixture.create(), lost = fixture.create();
  REQUIRE(lost.connection.start(shell("sleep 60"), {}, {}, {}));
  auto removed = fixture.manager().remove_unknown({kept.identity.cgroup});
  REQUIRE(removed);
  CHECK(*removed == 1);
  CHECK(groups() == std::vector<std::string>{kept.identity.cgroup});
  CHECK(run(kept, request({"true"})).exit.exit_code == 0);
}

TEST_CASE("a socket path may be long") {
  Fixture fixture;
  std::string deep = fixture.directory();
  for (int i = 0; i < 5; ++i) deep += "/a-directory-with-a-rather-long-name-" + std::to_string(i);
  std::filesystem::create_directories(deep);
  SandboxSpec spec = fixture.spec();
  spec.control_socket = deep + "/control";
  Sandbox sandbox = fixture.create(spec);
  auto again = fixture.manager().adopt_sandbox(sandbox.identity);
  REQUIRE(again);
  CHECK(run(*again, request({"true"})).exit.exit_code == 0);
}

TEST_CASE("files in the work directory keep the caller as their owner") {
  Fixture fixture;
  REQUIRE(write_file_atomically(fixture.work("mine"), "from outside\n", 0600));
  Sandbox sandbox = fixture.create();
  CHECK(run_shell(sandbox, "cat mine && echo inside > theirs && id -u").out ==
        "from outside\n" + std::to_string(100000 + 1) + "\n");
  struct stat status {};
  REQUIRE(::stat(fixture.work("theirs").c_str(), &status) == 0);
  CHECK(status.st_uid == ::getuid());
}

TEST_CASE("an init whose supervisor dies before it owns it goes away by itself") {
  // create_sandbox() in a child that is killed at once: whatever was made is found by its groups.
  Fixture fixture;
  SandboxSpec spec = fixture.spec();
  for (int delay = 0; delay < 3000; delay += 300) {
    pid_t child = ::fork();
    if (child == 0) {
      auto made = fixture.manager().create_sandbox(spec);
      ::_exit(made ? 0 : 1);
    }
    ::usleep(static_cast<useconds_t>(delay));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(fixture.manager().remove_unknown({}));
    CHECK(groups().empty());
  }
}
