// SPDX-License-Identifier: Apache-2.0
// The io weight, on a disk of our own whose scheduler heeds it.
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "fixture.hpp"
#include "isolation/io_weight.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

// A file with a file system, mounted with that scheduler. Not there where loop devices or the
// scheduler are lacking, or we are not root.
class LoopDisk {
 public:
  LoopDisk(const Fixture& fixture, const std::string& scheduler) : point_(fixture.path("disk")) {
    const std::string image = fixture.path("image");
    const std::string script = "truncate -s 16M " + image + " && mkfs.ext4 -q " + image +
                               " && mkdir " + point_ + " && d=$(losetup -f --show " + image +
                               ") && echo " + scheduler + " > /sys/block/${d#/dev/}" +
                               "/queue/scheduler && mount $d " + point_ +
                               "; s=$?; losetup -d $d; exit $s";
    there_ = std::system(("( " + script + " ) 2> /dev/null").c_str()) == 0;
  }
  ~LoopDisk() {
    if (there_) ::umount2(point_.c_str(), MNT_DETACH);
  }
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;
  [[nodiscard]] bool there() const { return there_; }
  [[nodiscard]] const std::string& path() const { return point_; }

 private:
  std::string point_;
  bool there_ = false;
};

}  // namespace

TEST_CASE("a weight is put into the words of bfq") {
  CHECK(bfq_weight(1) == 1);
  CHECK(bfq_weight(100) == 100);
  CHECK(bfq_weight(10000) == 1000);
  CHECK(bfq_weight(2300) == 300);
}

TEST_CASE("a weight is in force where the scheduler heeds it, and refused where not") {
  Fixture fixture;
  {
    LoopDisk disk(fixture, "bfq");
    if (!disk.there()) return;
    SandboxSpec spec = fixture.spec();
    spec.work_dir = disk.path();
    spec.limits.io_weight = 250;
    Sandbox sandbox = fixture.create(spec);
    const CgroupHost host = locate_cgroups(sandbox.identity.pid, spec.cgroup);
    CHECK(check_io_weight_in_force(host, spec.cgroup, 250));
    auto other = check_io_weight_in_force(host, spec.cgroup, 2500);
    REQUIRE_FALSE(other);
    CHECK(other.error().message.find("not in force") != std::string::npos);
    CHECK(run_shell(sandbox, "dd if=/dev/zero of=f bs=64k count=4 conv=fsync").exit.exit_code == 0);
    const std::string group = host.blkio_path.empty() ? "" : host.blkio_path + "/" + spec.cgroup;
    if (!group.empty()) CHECK(::access(group.c_str(), F_OK) == 0);
    REQUIRE(fixture.manager().destroy_sandbox(sandbox.identity));
    if (!group.empty()) CHECK(::access(group.c_str(), F_OK) != 0);
  }
  ::rmdir(fixture.path("disk").c_str());
  LoopDisk disk(fixture, "none");
  if (!disk.there()) return;
  SandboxSpec spec = fixture.spec();
  spec.work_dir = disk.path();
  spec.limits.io_weight = 250;
  auto refused = fixture.try_create(spec);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::unavailable);
  CHECK(refused.error().hint.find("echo bfq") != std::string::npos);
}
