// SPDX-License-Identifier: Apache-2.0
// Files are given to an agent by root, in a directory in which another agent may be at work.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <thread>

#include "base/fd.hpp"
#include "isolation/id_map.hpp"

using namespace fabric;

namespace {

constexpr unsigned k_exchange = 2;  // RENAME_EXCHANGE

void make_files(const std::string& directory) {
  ::mkdir(directory.c_str(), 0755);
  for (int i = 0; i < 100; ++i)
    REQUIRE(open_file(directory + "/f" + std::to_string(i), O_WRONLY | O_CREAT, 0600));
}

uid_t owner_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_uid : 0;
}

}  // namespace

TEST_CASE("the owner of what an agent's links point to is never changed") {
  if (::geteuid() != 0) {
    WARN("needs root");
    return;
  }
  std::string base = "/tmp/fabric-owner-XXXXXX";
  REQUIRE(::mkdtemp(base.data()) != nullptr);
  const std::string tree = base + "/tree", victim = base + "/victim";
  ::mkdir(tree.c_str(), 0755);
  make_files(tree + "/part");
  make_files(victim);
  REQUIRE(::symlink(victim.c_str(), (tree + "/link").c_str()) == 0);
  std::atomic<bool> over{false};
  // By path this was lost in the first round.
  std::thread agent([&] {
    while (!over)
      ::syscall(SYS_renameat2, AT_FDCWD, (tree + "/part").c_str(), AT_FDCWD,
                (tree + "/link").c_str(), k_exchange);
  });
  for (int i = 0; i < 100; ++i) REQUIRE(change_owner(tree, {4321, 4321}));
  over = true;
  agent.join();
  for (int i = 0; i < 100; ++i) CHECK(owner_of(victim + "/f" + std::to_string(i)) == 0);
  CHECK(owner_of(tree) == 4321);
  CHECK(owner_of(tree + "/part") == 4321);
  CHECK(owner_of(tree + "/link") == 4321);
  std::filesystem::remove_all(base);
}
