// SPDX-License-Identifier: Apache-2.0
// Rules about paths: what they come to, and attacks on them from inside, as root and as an ordinary
// user. tests/bats/paths.bats shows the same from the command line, and git.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fixture.hpp"
#include "isolation/git_layout.hpp"
#include "isolation/host_path.hpp"
#include "isolation/path_glob.hpp"
#include "isolation/path_plan.hpp"

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

// The kinds of steps for one target, as letters: what is done to it.
std::string steps_for(const PathPlan& plan, const std::string& target) {
  std::string letters;
  for (const MountStep& step : plan.steps) {
    if (step.target != target) continue;
    switch (step.kind) {
      case wire::k_tree:
        letters += (step.argument & wire::k_tree_read_only) != 0 ? "r" : "w";
        break;
      case wire::k_pin:
        letters += "p";
        break;
      case wire::k_no_write:
        letters += "n";
        break;
      case wire::k_cover:
        letters += (step.argument & wire::k_cover_open) != 0 ? "C" : "c";
        break;
      case wire::k_close:
        letters += "x";
        break;
      default:
        break;
    }
  }
  return letters;
}

bool wants(const PathPlan& plan, const std::string& relative) {
  return std::any_of(plan.wanted.begin(), plan.wanted.end(),
                     [&](const Placeholder& made) { return made.relative == relative; });
}

}  // namespace

TEST_CASE("patterns of paths") {
  CHECK(matches_pattern("/a/*/c", "/a/b/c"));
  CHECK_FALSE(matches_pattern("/a/*/c", "/a/b/b/c"));
  CHECK(matches_pattern("/a/**/c", "/a/c"));
  CHECK(matches_pattern("/a/**/c", "/a/b/b/c"));
  CHECK(matches_pattern("/a/**", "/a/b/c"));
  CHECK(matches_pattern("/**/*.pem", "/x/y.pem"));
  CHECK(matches_pattern("/**/b/**/d?", "/a/b/c/d/d1"));
  CHECK_FALSE(matches_pattern("/a/*.pem", "/a/x.pem.txt"));
  CHECK_FALSE(matches_pattern("/a/?", "/a/bc"));
  CHECK(fixed_part("/a/b*/c") == "/a");
  CHECK(fixed_part("/a/b/*") == "/a/b");
  CHECK(fixed_part("/**/x") == "/");
  // No exponential search.
  std::string stars = "/x", text = "/x";
  for (int i = 0; i < 50; ++i) stars += "/**/a", text += "/a/a";
  CHECK_FALSE(matches_pattern(stars + "/b", text));
}

TEST_CASE("paths of the host") {
  Fixture fixture;
  const std::string d = fixture.directory();
  put(d + "/real/dir/file", "x");
  std::filesystem::create_symlink("real/dir", d + "/link");
  std::filesystem::create_symlink(d + "/loop", d + "/loop");
  std::filesystem::create_symlink("../../link/file", d + "/real/dir/up");
  CHECK(resolve_host_path(d + "/link/file", {}).value() == d + "/real/dir/file");
  CHECK(resolve_host_path(d + "/real/dir/up", {}).value() == d + "/real/dir/file");
  CHECK_FALSE(resolve_host_path(d + "/loop", {}));
  CHECK_FALSE(resolve_host_path(d + "/absent", {}));
  CHECK_FALSE(resolve_host_path(d + "/link/file", {d}));
  CHECK_FALSE(resolve_host_path(d + "/real/dir/up", {d + "/real"}));
  CHECK(resolve_host_path(d + "/link/file", {d + "/real"}));
  CHECK(is_beneath("/a/b", "/a"));
  CHECK(is_beneath("/a", "/a"));
  CHECK_FALSE(is_beneath("/ab", "/a"));
  CHECK(is_beneath("/a", "/"));
  Fd root = open_file(d, O_PATH).value();
  CHECK_FALSE(open_beneath(root, "link/file", O_RDONLY));
  CHECK_FALSE(open_beneath(root, "..", O_RDONLY));
  CHECK(kind_beneath(root, "link") == PathKind::link);
  CHECK(kind_beneath(root, "link/file") == PathKind::absent);
  CHECK(kind_beneath(root, "real/dir/file") == PathKind::file);
  CHECK(kind_beneath(root, "") == PathKind::directory);
}

TEST_CASE("what rules come to") {
  Fixture fixture;
  const std::string d = fixture.directory() + "/project";
  put(d + "/a/b/c/file", "x");
  put(d + "/a/secret/key", "x");
  SandboxOptions options;
  options.work = d;
  options.no_write = {"/work/a/b/c", "/work/a/b/c/file", "/work/new/deep", "/usr/bin"};
  options.hidden = {"/work/a/secret", "/work/a/secret/key", "/work/gone", "/usr/share/none"};
  options.read_write = {d + "/a/b:/work/a/secret/inner", d + ":/same"};
  options.read_only = {d + ":/same", d + "/a:/ro"};
  PathPlan plan = plan_paths({options, fixture.work(""), ""}).value();
  CHECK_FALSE(plan.own_work);
  CHECK(steps_for(plan, "work").empty());
  CHECK(steps_for(plan, "work/a") == "p");
  CHECK(steps_for(plan, "work/a/b") == "p");
  CHECK(steps_for(plan, "work/a/b/c") == "n");
  CHECK(steps_for(plan, "work/a/b/c/file").empty());  // what it is in cannot be changed
  CHECK(steps_for(plan, "work/a/secret") == "Cx");
  CHECK(steps_for(plan, "work/a/secret/key").empty());
  CHECK(steps_for(plan, "work/a/secret/inner") == "w");
  CHECK(steps_for(plan, "work/new") == "p");
  CHECK(steps_for(plan, "work/new/deep") == "n");
  CHECK(steps_for(plan, "work/gone") == "c");
  CHECK(steps_for(plan, "same") == "r");
  CHECK(steps_for(plan, "ro") == "r");
  CHECK(steps_for(plan, "usr/bin").empty());
  CHECK(wants(plan, "new"));
  CHECK(wants(plan, "new/deep"));
  CHECK(wants(plan, "gone"));
  CHECK(plan.wanted.size() == 3);
  CHECK(plan.trees.size() == 3);
}

TEST_CASE("rules that are refused") {
  Fixture fixture;
  const std::string d = fixture.directory() + "/project";
  put(d + "/file", "x");
  put(d + "/w/fabric.toml", "");
  put(d + "/w/.fabric/agents/a/work/x", "");
  std::filesystem::create_symlink("file", d + "/link");
  const auto plan = [&](auto change) {
    SandboxOptions options;
    change(options);
    return plan_paths({options, fixture.work(""), d + "/w"});
  };
  using O = SandboxOptions;
  CHECK_FALSE(plan([&](O& o) { o.read_only = {d + "/file:/dev/x"}; }));
  CHECK_FALSE(plan([&](O& o) { o.work = d + "/file"; }));
  CHECK_FALSE(plan([&](O& o) { o.hidden = {"/tmp/x"}; }));
  CHECK_FALSE(plan([&](O& o) { o.read_write = {d + "/w/.fabric/run:/x"}; }));
  CHECK_FALSE(plan([&](O& o) { o.read_write = {d + ":/x"}; }).has_value());
  CHECK(plan([&](O& o) { o.read_only = {d + ":/x"}; }));
  CHECK(plan([&](O& o) { o.read_only = {d + "/w/.fabric/agents/a/work:/x"}; }));
  CHECK(plan([&](O& o) { o.read_write = {d + "/w:/x"}; }));
  CHECK_FALSE(plan([&](O& o) {
    o.read_write = {d + "/w:/x"};
    o.hidden = {"/x/fabric.toml/below"};
  }));
  std::filesystem::create_symlink("fabric.toml", d + "/w/link");
  CHECK_FALSE(plan([&](O& o) {
    o.read_write = {d + "/w:/x"};
    o.no_write = {"/x/link"};
  }));
}

TEST_CASE("repositories are found by what they are") {
  Fixture fixture;
  const std::string d = fixture.directory() + "/project";
  for (const char* repository : {".git", "sub/.git", "bare.git", ".git/modules/a/b"})
    for (const char* name : {"HEAD", "config", "objects/x", "refs/x"})
      put(d + "/" + repository + "/" + name, "");
  put(d + "/.git/worktrees/w/gitdir", "");
  put(d + "/.git/worktrees/w/commondir", "");
  put(d + "/deep/er/.git", "gitdir: x");
  put(d + "/other/fabric.toml", "");
  put(d + "/other/.fabric/x", "");
  auto found = find_protected_paths(open_file(d, O_PATH).value()).value();
  std::vector<std::string> names;
  for (const ProtectedPath& path : found) names.push_back((path.hide ? "-" : "") + path.relative);
  for (const char* name :
       {".git/config", ".git/hooks", ".git/commondir", "sub/.git/config", "bare.git/hooks",
        ".git/modules/a/b/config", ".git/modules/a/b/hooks", ".git/worktrees/w/gitdir",
        ".git/worktrees/w/commondir", "deep/er/.git", "other/fabric.toml", "-other/.fabric"}) {
    INFO(name);
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  }
}

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
  const std::string git = "git -C " + d + " -c user.name=t -c user.email=t ";
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
