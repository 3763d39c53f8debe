// SPDX-License-Identifier: Apache-2.0
// Limits are read back before a sandbox is believed in.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/fd.hpp"
#include "fixture.hpp"
#include "isolation/sandbox_cgroup.hpp"

using namespace fabric;
using namespace fabric::test;

TEST_CASE("limits that are in force pass, others are named") {
  Fixture fixture;
  const HostFeatures& features = fixture.manager().features();
  if (!features.memory || !features.cpu || !features.pids) return;
  SandboxSpec spec = fixture.spec();
  spec.limits = {.memory_bytes = (uint64_t{64} << 20) + 5, .cpu_millicores = 500, .pids = 40};
  Sandbox sandbox = fixture.create(spec);
  const CgroupHost host = locate_cgroups(sandbox.identity.pid, spec.cgroup);
  REQUIRE(host.mode == features.cgroups);
  const auto check = [&](const Limits& limits, pid_t pid) {
    return check_sandbox_cgroup(host, spec.cgroup, limits, pid);
  };
  CHECK(check(spec.limits, sandbox.identity.pid));
  CHECK(check({0, 0, 0}, sandbox.identity.pid));

  Limits other = spec.limits;
  other.memory_bytes = 32 << 20;
  auto memory = check(other, sandbox.identity.pid);
  REQUIRE_FALSE(memory);
  CHECK(memory.error().message.find("memory") != std::string::npos);
  CHECK(memory.error().message.find(" is 67108864, not 33554432") != std::string::npos);
  other = spec.limits;
  other.cpu_millicores = 600;
  CHECK_FALSE(check(other, sandbox.identity.pid));
  other = spec.limits;
  other.pids = 41;
  CHECK_FALSE(check(other, sandbox.identity.pid));

  auto stranger = check(spec.limits, ::getpid());
  REQUIRE_FALSE(stranger);
  CHECK(stranger.error().message.find("fabric-init is in cgroup") != std::string::npos);
}
