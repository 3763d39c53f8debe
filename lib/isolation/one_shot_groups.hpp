// SPDX-License-Identifier: Apache-2.0
// The cgroups of one command: only those that its limits need.
//
//   v1, hybrid  <own>/<name> in the hierarchy of each limit. Only the command joins, so they are
//               empty as soon as it has ended, and nobody waits for the end of the init.
//   v2          <own>/<name>/sandbox as of every sandbox (cgroup_host.hpp), the init in it: whom
//               CLONE_INTO_CGROUP is to place, he must come from below the same group.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolation/cgroup_host.hpp"
#include "isolation/sandbox_cgroup.hpp"

namespace fabric {

class OneShotGroups {
 public:
  OneShotGroups() = default;
  ~OneShotGroups();
  OneShotGroups(const OneShotGroups&) = delete;
  OneShotGroups& operator=(const OneShotGroups&) = delete;

  // Pure v2, where the groups must be there before the init is.
  static bool before_the_init();

  // What there is to find; no limit is set yet. `name`: a path component that nobody else uses now.
  Status find(const std::string& name, const Limits& wanted, const std::string& mounts);
  [[nodiscard]] const CgroupHost& host() const { return host_; }
  // Sets the limits and reads back what the kernel made of them.
  // `uid`: of the command, when it is not ours.
  Status enforce(const Limits& limits, std::optional<uint32_t> uid);
  [[nodiscard]] int into() const { return made_ ? made_->into.get() : -1; }
  // For wire::k_parts.
  Status add_parts(uint64_t& flags, std::vector<int>& descriptors);
  // After the command's end; after the init's where it is in them. Also done by the destructor.
  void remove();
  [[nodiscard]] bool hold_the_init() const { return made_.has_value(); }
  // Removes what runs that were killed have left, `prefix` being the start of their names.
  void sweep(const std::string& prefix) const;

 private:
  CgroupHost host_;
  std::optional<SandboxCgroup> made_;
  std::vector<Fd> joins_;
  bool weighted_ = false;  // v1: there is a group in the blkio hierarchy
};

}  // namespace fabric
