// SPDX-License-Identifier: Apache-2.0
// Rules about paths: attacks on them from inside, as root and as an ordinary user.
// tests/bats/paths.bats shows the same from the command line, and git.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fixture.hpp"
#include "isolation/placeholders.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

void put(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

std::string get(const std::string& path) { return read_file(path).value_or("(none)"); }

bool there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

SandboxSpec spec_with(Fixture& fixture, const SandboxOptions& options) {
  SandboxSpec spec = fixture.spec();
  if (fixture.manager().features().cgroups == CgroupMode::none) spec.limits = {0, 0, 0};
  spec.options = options;
  return spec;
}

}  // namespace

// --- from inside; both also run without privileges (test_unprivileged.cpp starts them)

namespace {

void attack_denied_paths(Fixture& fixture) {
  const std::string d = fixture.directory() + "/project";
  put(d + "/a/b/keep", "keep");
  put(d + "/secret/key", "token");
  put(d + "/.env", "token");
  SandboxOptions options;
  options.work = d;
  options.no_write = {"/work/a/b/keep", "/work/later/x"};
  options.hidden = {"/work/secret", "/work/.env", "/work/absent"};
  options.read_only = {d + "/a:/ro", d + "/a/b/keep:/one"};
  const std::string attack =
      "cat secret/key .env; echo evil >a/b/keep; rm -f a/b/keep; mv a a2 && mkdir -p a/b && "
      "echo evil >a/b/keep; echo evil >f; mv f a/b/keep; mv secret s; cat s/key; rm -rf secret; "
      "mv .env e; cat e; echo evil >absent; mkdir absent; echo evil >later/x; mv later l; "
      "touch /ro/x; echo evil >/one; ln .env e2; cat e2; chmod 777 secret .env; cat .env; echo end";
  {
    Sandbox sandbox = fixture.create(spec_with(fixture, options));
    CHECK(run_shell(sandbox, attack).out == "end\n");
    CHECK(run_shell(sandbox, "echo x >a/b/new && mv a/b/new a/b/old && cat /one").out == "keep");
    CHECK(get(d + "/a/b/keep") == "keep");
    CHECK(get(d + "/secret/key") == "token");
    CHECK(get(d + "/.env") == "token");
    CHECK(get(d + "/a/b/old") == "x\n");
    CHECK_FALSE(there(d + "/a/x"));
    struct stat made {
    }, directory{};
    ::stat((d + "/a/b/old").c_str(), &made);
    ::stat(d.c_str(), &directory);
    CHECK(made.st_uid == directory.st_uid);
    CHECK(there(d + "/absent"));
    REQUIRE(fixture.manager().destroy_sandbox(sandbox.identity));
  }
  CHECK_FALSE(there(d + "/absent"));
  CHECK_FALSE(there(d + "/later"));
  // The same attack where nothing is denied: it does succeed.
  options.no_write = options.hidden = {};
  Sandbox open = fixture.create(spec_with(fixture, options));
  CHECK(run_shell(open, attack).out.starts_with("tokentoken"));
  CHECK(get(d + "/a/b/keep") != "keep");
}

void leave_placeholders_and_clean(Fixture& fixture) {
  const std::string d = fixture.directory() + "/project";
  put(d + "/x", "");
  SandboxOptions options;
  options.work = d;
  options.hidden = {"/work/absent/deep"};
  SandboxSpec spec = spec_with(fixture, options);
  spec.probe_command = "no-such-command";
  CHECK_FALSE(fixture.try_create(spec));
  CHECK_FALSE(there(d + "/absent"));
  // A maker that died: only the list is left, and the directory with what somebody put there.
  const std::string list = placeholder_list(spec.control_socket);
  REQUIRE(make_placeholders(list, {{d, "p", Stand::directory}, {d, "p/q", Stand::file}}, {}));
  CHECK(there(d + "/p/q"));
  put(d + "/p/mine", "mine");
  SandboxIdentity dead;
  dead.cgroup = spec.cgroup;
  dead.control_socket = spec.control_socket;
  REQUIRE(fixture.manager().destroy_sandbox(dead));
  CHECK_FALSE(there(d + "/p/q"));
  CHECK(get(d + "/p/mine") == "mine");
  CHECK_FALSE(there(list));
}

}  // namespace

namespace {

void work_in_a_repository(Fixture& fixture) {
  const std::string d = fixture.directory() + "/project";
  const std::string git = "HOME=/nonexistent git -C " + d + " -c user.name=t -c user.email=t ";
  REQUIRE(std::system(("export HOME=" + fixture.directory() + "; git init -q -b main " + d +
                       " && " + git + "commit -q --allow-empty -m 1 && " + git +
                       "worktree add -q " + fixture.path("tree") + " && rm -r " + d + "/.git/hooks")
                          .c_str()) == 0);
  const std::string config = get(d + "/.git/config");
  SandboxOptions options;
  options.work = fixture.path("tree");
  Sandbox sandbox = fixture.create(spec_with(fixture, options));
  const std::string commit = "git -c user.name=a -c user.email=a commit -q --allow-empty -m 2";
  CHECK(run_shell(sandbox, commit + " && git log --oneline | wc -l").out == "2\n");
  run_shell(sandbox, "cd " + d +
                         "/.git && echo evil >>config; rm -f config; mkdir -p hooks; echo evil "
                         ">hooks/x; echo /work >commondir; echo evil >worktrees/tree/commondir; "
                         "mv worktrees w; echo gitdir: /tmp >/work/.git; mv /work/.git /work/g");
  CHECK(get(d + "/.git/config") == config);
  CHECK_FALSE(there(d + "/.git/hooks/x"));
  CHECK(get(d + "/.git/commondir") == ".\n");
  CHECK(get(d + "/.git/worktrees/tree/commondir") == "../..\n");
  REQUIRE(fixture.manager().destroy_sandbox(sandbox.identity));
  CHECK_FALSE(there(d + "/.git/hooks"));
  CHECK_FALSE(there(d + "/.git/commondir"));
  CHECK(std::system((git + "worktree remove " + fixture.path("tree")).c_str()) == 0);
}

}  // namespace

TEST_CASE("a worktree and its repository") {
  Fixture fixture;
  work_in_a_repository(fixture);
}
TEST_CASE("a worktree and its repository without privileges", "[.][unprivileged]") {
  Fixture fixture;
  work_in_a_repository(fixture);
}

TEST_CASE("denied paths cannot be reached or replaced") {
  Fixture fixture;
  attack_denied_paths(fixture);
}
TEST_CASE("denied paths without privileges", "[.][unprivileged]") {
  Fixture fixture;
  attack_denied_paths(fixture);
}
TEST_CASE("placeholders go") {
  Fixture fixture;
  leave_placeholders_and_clean(fixture);
}
TEST_CASE("placeholders go without privileges", "[.][unprivileged]") {
  Fixture fixture;
  leave_placeholders_and_clean(fixture);
}

TEST_CASE("an agent makes no set-user-id programs of the owner of a directory") {
  Fixture fixture;
  const std::string d = fixture.directory() + "/project";
  put(d + "/x", "");
  SandboxOptions options;
  options.work = d;
  Sandbox sandbox = fixture.create(spec_with(fixture, options));
  const std::string python = "python3 -c 'import ctypes, os, sys\nlibc = ctypes.CDLL(None)\n";
  for (const std::string& attack :
       {std::string("chmod 4755 x"), std::string("chmod 2755 x"), std::string("chmod g+s ."),
        python + "os.umask(0); os.open(\"y\", os.O_CREAT | os.O_WRONLY, 0o4755)'",
        python + "os.umask(0); os.mknod(\"y\", 0o104755)'",
        python + "os.umask(0); os.open(\".\", os.O_TMPFILE | os.O_RDWR, 0o4755)'",
        python + "os.umask(0); sys.exit(libc.syscall(2, b\"y\", 0o102, 0o4755) < 0)'",
        python + "os.umask(0); sys.exit(libc.syscall(85, b\"y\", 0o6755) < 0)'",
        python + "sys.exit(libc.syscall(90, b\"x\", 0o6755) < 0)'",
        python + "sys.exit(libc.syscall(452, -100, b\"x\", 0o6755, 0) < 0)'",
        python + "sys.exit(libc.syscall(437, -100, b\"x\", bytes(24), 24) < 0)'"}) {
    INFO(attack);
    CHECK(run_shell(sandbox, attack).exit.exit_code != 0);
    CHECK(std::system(("cd " + d + " && " + attack + " && rm -f y && chmod 755 x .").c_str()) == 0);
  }
  CHECK(run_shell(sandbox, "chmod 1755 . && chmod 755 x && mkdir -m 2755 sub; cat x && echo z >z")
            .exit.exit_code == 0);
}

TEST_CASE("files of /proc that are about the machine show nothing") {
  Fixture fixture;
  Sandbox sandbox = fixture.create();
  for (const char* name :
       {"kcore", "kallsyms", "kmsg", "timer_list", "keys", "key-users", "iomem", "ioports",
        "config.gz", "sched_debug", "slabinfo", "vmallocinfo", "kpagecount", "sysrq-trigger"}) {
    INFO(name);
    CHECK(run_shell(sandbox, std::string("timeout 2 head -c 100 /proc/") + name).out.empty());
  }
  for (const char* name : {"acpi", "fs", "scsi", "asound"}) {
    INFO(name);
    CHECK(run_shell(sandbox, std::string("ls /proc/") + name).out.empty());
  }
  CHECK(run_shell(sandbox, "head -c 10 /proc/meminfo").out == "MemTotal: ");
}

TEST_CASE("a tree that is renamed over from outside, in a running sandbox, stays what it was") {
  Fixture fixture;
  const std::string d = fixture.directory() + "/project";
  put(d + "/in/file", "old");
  SandboxOptions options;
  options.read_only = {d + "/in:/in"};
  Sandbox sandbox = fixture.create(spec_with(fixture, options));
  std::filesystem::rename(d + "/in", d + "/out");
  put(d + "/in/file", "new");
  CHECK(run_shell(sandbox, "cat /in/file; touch /in/x").out == "old");
}
