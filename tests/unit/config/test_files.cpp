// SPDX-License-Identifier: Apache-2.0
// Which files are read at all.
#include "config/layer_file.hpp"
#include "tests/unit/config/fixture.hpp"

using namespace fabric;
using namespace fabric::config;
namespace fs = std::filesystem;

namespace {

Error refused(const Fixture& f) { return error_of(f, load_settings(f.workspace())); }

}  // namespace

TEST_CASE("a file that others can write is refused with the chmod to type") {
  const Fixture f;
  const Workspace w = f.workspace();
  for (const char* name : {"managed/fabric.toml", "acme/tenant.toml", "acme/web/fabric.toml"}) {
    f.write(name, "");
    fs::permissions(f.at(name), fs::perms(0646));
    const Error e = refused(f);
    CHECK(e.code == ErrorCode::denied);
    CHECK(e.message == std::string(name) + ": other users can write it");
    CHECK(e.hint == "look at it, then: chmod go-w " + std::string(name));
    fs::permissions(f.at(name), fs::perms(0644));
    CHECK(load_settings(f.workspace()));
  }
}

TEST_CASE("a group that is not the owner's own counts as others", "[root]") {
  if (!is_root()) return;
  struct stat info {};
  info.st_uid = 0;
  info.st_gid = 0;
  info.st_mode = S_IFREG | 0664;
  CHECK_FALSE(others_can_write(info));
  info.st_gid = 12345;
  CHECK(others_can_write(info));
  info.st_mode = S_IFREG | 0644;
  CHECK_FALSE(others_can_write(info));
}

TEST_CASE("a file of another user is refused", "[root]") {
  if (!is_root()) return;
  const Fixture f;
  f.workspace();
  f.write("acme/tenant.toml", "");
  REQUIRE(::chown(f.at("acme/tenant.toml").c_str(), 12345, 0) == 0);
  const Error e = refused(f);
  CHECK(e.code == ErrorCode::denied);
  CHECK(e.message == "acme/tenant.toml: belongs to uid 12345, not to you or root");
}

TEST_CASE("symlinks are followed within the layer's directory only") {
  const Fixture f;
  const Workspace w = f.workspace();
  f.write("acme/web/shared/base.toml", "command = [\"x\"]\n");
  fs::create_directories(w.root + "/agents/a");
  fs::create_symlink("../../shared/base.toml", w.root + "/agents/a/agent.toml");
  CHECK(load_agent(w, "a", {}));

  f.write("outside.toml", "command = [\"x\"]\n");
  for (const std::string& target :
       {f.at("outside.toml"), std::string("../../../../outside.toml")}) {
    fs::remove(w.root + "/agents/a/agent.toml");
    fs::create_symlink(target, w.root + "/agents/a/agent.toml");
    const Error e = error_of(f, load_agent(w, "a", {}));
    CHECK(e.message == "acme/web/agents/a/agent.toml: is a symbolic link that leads out of " +
                           std::string("acme/web"));
  }
}

TEST_CASE("what is not a regular file, or too large, is refused") {
  const Fixture f;
  const Workspace w = f.workspace();
  fs::create_directories(w.root + "/agents/fifo");
  fs::create_directories(w.root + "/agents/dir/agent.toml");
  REQUIRE(::mkfifo((w.root + "/agents/fifo/agent.toml").c_str(), 0644) == 0);
  f.write("acme/web/agents/big/agent.toml", std::string(k_max_file + 1, '#'));
  for (const char* id : {"fifo", "dir"})
    CHECK(error_of(f, load_agent(w, id, {})).message ==
          "acme/web/agents/" + std::string(id) + "/agent.toml: is not a regular file");
  CHECK(error_of(f, load_agent(w, "big", {})).message ==
        "acme/web/agents/big/agent.toml: is larger than 1 MiB");
}

TEST_CASE("paths in hints can be pasted into a shell") {
  CHECK(shell_word("/a/b-c.d") == "/a/b-c.d");
  CHECK(shell_word("/a b") == "'/a b'");
  CHECK(shell_word("/a'b") == "'/a'\\''b'");
  CHECK(shell_word("$(x)") == "'$(x)'");
  CHECK(shell_word("") == "''");
}
