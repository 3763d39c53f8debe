// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "tests/unit/config/fixture.hpp"

using namespace fabric;
using namespace fabric::config;
namespace fs = std::filesystem;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("init makes a workspace that is found from below") {
  const Fixture f;
  REQUIRE(init_workspace(f.at("w")));
  for (const char* name : {"w/.fabric", "w/.fabric/run", "w/.fabric/logs", "w/.fabric/agents"})
    CHECK(mode_of(f.at(name)) == 0700);
  CHECK(f.read("w/.fabric/.gitignore") == "*\n");
  CHECK(f.exists("w/policies"));
  CHECK(f.exists("w/agents"));
  CHECK_FALSE(f.exists("w/.fabric/store"));
  CHECK(mode_of(f.at("state/fabric/workspaces")) == 0600);

  fs::create_directories(f.at("w/src/deep"));
  CHECK(f.find(f.at("w/src/deep"))->root == f.at("w"));
  CHECK(f.find(f.at("w/src/deep"))->tenant.empty());
  CHECK(f.find(f.at("w"))->store_dir() == f.at("w/.fabric/store"));
  CHECK(load_settings(f.find(f.at("w")).value()));
  CHECK(check(f.find(f.at("w")).value())->empty());
}

TEST_CASE("init tolerates directories that are there, and refuses a workspace") {
  const Fixture f;
  f.write("w/agents/a/agent.toml", "command = [\"x\"]\n");
  f.write("w/policies/README.md", "mine");
  REQUIRE(init_workspace(f.at("w")));
  CHECK(f.read("w/policies/README.md") == "mine");
  const Error again = error_of(f, init_workspace(f.at("w")));
  CHECK(again.code == ErrorCode::usage);
  CHECK(again.message == "w is a workspace already: it has fabric.toml");
  CHECK(again.hint == "to use it: fabric trust w");
}

TEST_CASE("workspaces can be nested; the nearest counts") {
  const Fixture f;
  REQUIRE(init_workspace(f.at("w")));
  REQUIRE(init_workspace(f.at("w/inner")));
  CHECK(f.find(f.at("w/inner/agents"))->root == f.at("w/inner"));
  CHECK(f.find(f.at("w/agents"))->root == f.at("w"));
}

TEST_CASE("init follows nothing that stands at .fabric") {
  const Fixture f;
  fs::create_directories(f.at("w"));
  fs::create_symlink(f.at("elsewhere"), f.at("w/.fabric"));
  CHECK(error_of(f, init_workspace(f.at("w"))).code == ErrorCode::usage);
  CHECK_FALSE(f.exists("elsewhere"));
  CHECK_FALSE(f.exists("w/fabric.toml"));
  fs::remove(f.at("w/.fabric"));
  fs::create_symlink(f.at("elsewhere"), f.at("w/fabric.toml"));
  CHECK_FALSE(init_workspace(f.at("w")));
  CHECK_FALSE(f.exists("elsewhere"));
}

TEST_CASE("init leaves nothing behind when it fails") {
  const Fixture f;
  f.write("w/agents", "a file in the way");
  CHECK_FALSE(init_workspace(f.at("w")));
  CHECK_FALSE(f.exists("w/.fabric"));
  CHECK_FALSE(f.exists("w/policies"));
  CHECK_FALSE(f.exists("w/fabric.toml"));
  CHECK(f.read("w/agents") == "a file in the way");

  // The list of workspaces cannot be written.
  f.write("state", "not a directory");
  CHECK_FALSE(init_workspace(f.at("new")));
  CHECK_FALSE(f.exists("new"));
}

TEST_CASE("without a workspace the way to one is said") {
  const Fixture f;
  const Error none = error_of(f, f.find(f.top));
  CHECK(none.code == ErrorCode::not_found);
  CHECK(none.hint == "make one: fabric init");
  CHECK(error_of(f, f.find(f.at("missing"))).code == ErrorCode::not_found);
}

TEST_CASE("FABRIC_WORKSPACE names the place to start, and must exist") {
  const Fixture f;
  const Workspace w = f.workspace();
  ::setenv("FABRIC_WORKSPACE", (w.root + "/agents").c_str(), 1);
  CHECK(f.find("")->root == w.root);
  ::setenv("FABRIC_WORKSPACE", f.at("gone").c_str(), 1);
  const Error e = error_of(f, f.find(""));
  CHECK(e.code == ErrorCode::not_found);
  CHECK(e.message == "FABRIC_WORKSPACE=gone: No such file or directory");
  CHECK(f.find(w.root)->root == w.root);
}

TEST_CASE("symlinks on the way to a workspace are resolved") {
  const Fixture f;
  const Workspace w = f.workspace();
  fs::create_directory_symlink(w.root, f.at("link"));
  CHECK(f.find(f.at("link"))->root == w.root);
}

TEST_CASE("the tenant is the nearest above the workspace") {
  const Fixture f;
  f.workspace();
  CHECK(f.workspace().tenant.empty());
  f.write("tenant.toml", "");
  CHECK(f.workspace().tenant == f.top);
  f.write("acme/tenant.toml", "");
  CHECK(f.workspace().tenant == f.at("acme"));
}

TEST_CASE("the state directory follows XDG, else HOME, else the user database") {
  const Fixture f;
  CHECK(user_state_dir().value() == f.at("state/fabric"));
  ::setenv("XDG_STATE_HOME", "relative", 1);
  const char* home = std::getenv("HOME");
  const std::string saved = home ? home : "";
  ::setenv("HOME", "/home/x", 1);
  CHECK(user_state_dir().value() == "/home/x/.local/state/fabric");
  ::unsetenv("HOME");
  // A user without an entry in the user database has no place for it.
  const auto from_database = user_state_dir();
  CHECK((!from_database || from_database->ends_with("/.local/state/fabric")));
  ::setenv("HOME", saved.c_str(), 1);
}
