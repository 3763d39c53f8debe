// SPDX-License-Identifier: Apache-2.0
// What the rules of a sandbox about paths come to: which trees of the host are mounted where, and
// what in them is hidden or cannot be changed. Everything is looked up on the host, once, when the
// sandbox is made; the init only carries the steps out.
//
// A mount hides or protects what is beneath it, but its parents could be renamed away. So every
// directory between a tree that can be changed and something protected in it is "pinned": mounted
// on itself, which makes renaming it fail with EBUSY (and moving files across it with EXDEV).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolation/mount_plan.hpp"
#include "isolation/placeholders.hpp"
#include "model/sandbox_options.hpp"

namespace fabric {

struct PathRequest {
  const SandboxOptions& options;
  std::string own_work;   // host directory that is /work when the options name none; "": in memory
  std::string workspace;  // root of the fabric workspace, "" for none: its files are protected
  bool walls = true;      // else only the work directory is looked up
  std::string mounts = {};  // /proc/self/mountinfo, where it was read already
};

// One of the host, without links on the way to it.
struct HostTree {
  std::string host;
  std::string inside;
  bool read_only = false;
};

struct PathPlan {
  HostTree work;                     // mounted by the work step of make_sandbox_plan()
  bool own_work = true;              // not a directory that the user named
  std::vector<HostTree> trees;       // in the order of the k_tree steps
  MountPlan steps;                   // after those of make_sandbox_plan()
  std::vector<Placeholder> wanted;   // to be made first
  std::vector<std::string> present;  // host paths that are protected and exist
};

Result<PathPlan> plan_paths(const PathRequest& request);

}  // namespace fabric
