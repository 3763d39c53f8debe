// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include "config/registry.hpp"
#include "tests/unit/config/fixture.hpp"

using namespace fabric;
using namespace fabric::config;
namespace fs = std::filesystem;

namespace {

// What a clone looks like: files, but no .fabric and no registration.
void make_clone(const Fixture& f, const std::string& name) { f.write(name + "/fabric.toml", ""); }

}  // namespace

TEST_CASE("a clone is opened only after trust") {
  const Fixture f;
  make_clone(f, "clone");
  const Error e = error_of(f, f.find(f.at("clone")));
  CHECK(e.code == ErrorCode::denied);
  CHECK(e.message == "the workspace clone is not trusted: it has no .fabric yet");
  CHECK(e.hint == "look at it, then: fabric trust clone");
  REQUIRE(trust_workspace(f.at("clone")));
  CHECK(f.find(f.at("clone"))->root == f.at("clone"));
}

TEST_CASE("a clone that carries a .fabric is not trusted for it") {
  const Fixture f;
  make_clone(f, "clone");
  f.write("clone/.fabric/store/data.mdb", "hostile");
  fs::permissions(f.at("clone/.fabric"), fs::perms::owner_all);
  CHECK(error_of(f, f.find(f.at("clone"))).message == "the workspace clone is not trusted");
}

TEST_CASE("a directory that was replaced is no longer trusted") {
  const Fixture f;
  const Workspace w = f.workspace();
  fs::rename(w.root, f.at("old"));
  fs::copy(f.at("old"), w.root, fs::copy_options::recursive);
  fs::permissions(w.root + "/.fabric", fs::perms::owner_all);
  const Error e = error_of(f, f.find(w.root));
  CHECK(e.code == ErrorCode::denied);
  CHECK(e.message == "the workspace acme/web is not trusted any more: the directory was replaced");
  // Nor is the old one at its new place.
  CHECK(error_of(f, f.find(f.at("old"))).code == ErrorCode::denied);
  REQUIRE(trust_workspace(w.root));
  CHECK(f.find(w.root));
}

TEST_CASE("a replaced .fabric is no longer trusted") {
  const Fixture f;
  const Workspace w = f.workspace();
  fs::rename(w.state_dir(), w.root + "/.old");
  fs::create_directory(w.state_dir());
  fs::permissions(w.state_dir(), fs::perms::owner_all);
  CHECK(error_of(f, f.find(w.root)).message.find("replaced") != std::string::npos);
}

TEST_CASE("a .fabric that is a symlink, or open to others, is refused") {
  const Fixture f;
  const Workspace w = f.workspace();
  fs::permissions(w.state_dir(), fs::perms(0750));
  Error e = error_of(f, f.find(w.root));
  CHECK(e.code == ErrorCode::denied);
  CHECK(e.hint == "look at it, then: chmod 700 acme/web/.fabric");
  fs::permissions(w.state_dir(), fs::perms(0700));
  CHECK(f.find(w.root));

  fs::rename(w.state_dir(), f.at("real"));
  fs::create_directory_symlink(f.at("real"), w.state_dir());
  e = error_of(f, f.find(w.root));
  CHECK(e.code == ErrorCode::denied);
  CHECK(e.message == "acme/web/.fabric is not a directory");
  CHECK(error_of(f, trust_workspace(w.root)).code == ErrorCode::denied);
}

TEST_CASE("trust refuses symlinks that a clone planted") {
  const Fixture f;
  for (const char* link :
       {".fabric/run/owner", ".fabric/store", ".fabric/logs", ".fabric/logs/x"}) {
    INFO(link);
    fs::remove_all(f.at("clone"));
    make_clone(f, "clone");
    fs::create_directories(fs::path(f.at("clone") + "/" + link).parent_path());
    fs::create_symlink(f.at("victim"), f.at("clone") + "/" + link);
    CHECK(error_of(f, trust_workspace(f.at("clone"))).code == ErrorCode::denied);
    CHECK_FALSE(f.exists("victim"));
    CHECK_FALSE(f.find(f.at("clone")));
  }
}

TEST_CASE("trust needs a workspace") {
  const Fixture f;
  fs::create_directory(f.at("d"));
  CHECK(error_of(f, trust_workspace(f.at("d"))).code == ErrorCode::not_found);
  CHECK_FALSE(f.exists("d/.fabric"));
}

TEST_CASE("a workspace directory that others can write is refused") {
  const Fixture f;
  const Workspace w = f.workspace();
  fs::permissions(w.root, fs::perms(0777));
  CHECK(error_of(f, f.find(w.root)).code == ErrorCode::denied);
}

TEST_CASE("what belongs to another user is refused", "[root]") {
  if (!is_root()) return;
  const Fixture f;
  const Workspace w = f.workspace();
  for (const std::string& path : {w.root, w.root + "/fabric.toml", w.state_dir()}) {
    REQUIRE(::lchown(path.c_str(), 12345, 12345) == 0);
    const Error e = error_of(f, f.find(w.root));
    CHECK(e.code == ErrorCode::denied);
    CHECK(e.message.find("belongs to uid 12345, not to you") != std::string::npos);
    CHECK(error_of(f, trust_workspace(w.root)).code == ErrorCode::denied);
    REQUIRE(::lchown(path.c_str(), 0, 0) == 0);
  }
  CHECK(f.find(w.root));
}

TEST_CASE("what belongs to root is not a user's workspace", "[root]") {
  if (!is_root()) return;
  const Fixture f;
  const Workspace w = f.workspace();
  fs::permissions(f.top, fs::perms(0777));
  fs::permissions(w.state_dir(), fs::perms(0755));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(12345) != 0 || ::setuid(12345) != 0) ::_exit(3);
    auto found = f.find(w.root);
    auto trusted = trust_workspace(w.root);
    ::_exit(!found && found.error().code == ErrorCode::denied && !trusted ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("many writers of the list of workspaces lose nothing") {
  const Fixture f;
  std::vector<pid_t> children;
  for (unsigned i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool good = true;
      for (unsigned j = 0; j < 5; ++j)
        good = good && register_workspace({"/w" + std::to_string(i * 5 + j), {1, i}, {2, j}});
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  for (unsigned i = 0; i < 40; ++i) {
    const std::string root = "/w" + std::to_string(i);
    CHECK(look_up({root, {1, i / 5}, {2, i % 5}}).value() == Trust::trusted);
    CHECK(look_up({root, {1, i / 5}, {3, i % 5}}).value() == Trust::changed);
  }
  CHECK(look_up({"/w4", {1, 0}, {2, 4}}).value() == Trust::trusted);
  CHECK(look_up({"/w400", {1, 0}, {2, 4}}).value() == Trust::unknown);
}

TEST_CASE("the list of workspaces must be the caller's own") {
  const Fixture f;
  const Workspace w = f.workspace();
  fs::permissions(f.at("state/fabric/workspaces"), fs::perms(0666));
  CHECK(error_of(f, f.find(w.root)).code == ErrorCode::denied);
}

TEST_CASE("a path with spaces is trusted; one with a line break is refused") {
  const Fixture f;
  REQUIRE(init_workspace(f.at("a  b 'c")));
  CHECK(f.find(f.at("a  b 'c")));
  CHECK_FALSE(init_workspace(f.at("a\nb")));
  CHECK_FALSE(f.exists("a\nb"));
}
