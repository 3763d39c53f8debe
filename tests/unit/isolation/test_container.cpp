// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "isolation/container_plan.hpp"
#include "isolation/host_path.hpp"
#include "isolation/id_range.hpp"

using namespace fabric;
namespace fs = std::filesystem;

namespace {

struct Root {
  std::string path = "/tmp/fabric-root-XXXXXX";
  Root() {
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    fs::create_directories(path + "/run/lock");
    fs::create_directories(path + "/etc");
  }
  ~Root() { fs::remove_all(path); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  [[nodiscard]] Fd open() const { return *open_file(path, O_RDONLY | O_DIRECTORY); }
};

}  // namespace

TEST_CASE("names in a root lead nowhere else") {
  Root root;
  fs::create_symlink("/run", root.path + "/var");
  fs::create_symlink("../../../../etc", root.path + "/run/up");
  fs::create_symlink("round", root.path + "/round");
  CHECK(resolve_in_root(root.path, "/var/lock/x").value_or("") == "/run/lock/x");
  CHECK(resolve_in_root(root.path, "/var/up/passwd").value_or("") == "/etc/passwd");
  CHECK(resolve_in_root(root.path, "/../../etc").value_or("") == "/etc");
  CHECK(resolve_in_root(root.path, "/not/there").value_or("") == "/not/there");
  CHECK(!resolve_in_root(root.path, "/round/x").has_value());
}

TEST_CASE("accounts are those of the root, not of the host") {
  Root root;
  CHECK_FALSE(find_account(root.open(), "etc/passwd", "root"));
  fs::create_symlink("/etc/real", root.path + "/etc/passwd");
  CHECK_FALSE(find_account(root.open(), "etc/passwd", "root"));
  REQUIRE(write_file_atomically(root.path + "/etc/real", "dev:x:7:8::/h:/s\n", 0644));
  const auto dev = find_account(root.open(), "etc/passwd", "dev");
  REQUIRE(dev);
  CHECK(dev->id == "7");
  CHECK(dev->fourth == "8");
  CHECK(find_account(root.open(), "etc/passwd", "7"));
  CHECK_FALSE(find_account(root.open(), "etc/passwd", "8"));
}

TEST_CASE("no two sandboxes have a range of ids in common") {
  if (::geteuid() != 0) return;
  auto one = take_id_range(), two = take_id_range();
  REQUIRE(one.has_value());
  REQUIRE(two.has_value());
  CHECK(one->first != two->first);
  CHECK(one->first >= k_ids_on_disk + k_ids_of_a_range);
  CHECK(one->first % k_ids_of_a_range == 0);
  const uint32_t first = one->first;
  one->lock.reset();
  auto again = take_id_range();
  REQUIRE(again.has_value());
  CHECK(again->first == first);
}
