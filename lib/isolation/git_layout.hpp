// SPDX-License-Identifier: Apache-2.0
// Git repositories in a directory that an agent may change. What makes git execute something
// (hooks, config, and where it looks for them: gitrepository-layout(5)) stays as it is; all else is
// the agent's, so that it can commit, branch and fetch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// What a path that must not appear becomes while the sandbox lives.
enum class Stand : uint8_t {
  none,        // nothing: it is only protected when it exists
  file,        // an empty file
  directory,   // an empty directory
  common_dir,  // a `commondir` of git that says what git takes without one
};

struct ProtectedPath {
  std::string relative;  // to the tree
  bool hide = false;     // else it cannot be changed
  Stand stand = Stand::none;
};

// Repositories, bare ones, their modules and worktrees, and fabric workspaces in the tree.
Result<std::vector<ProtectedPath>> find_protected_paths(const Fd& root);

// The repository that a worktree or submodule belongs to, when `tree` is one and its `.git` is a
// file. Only if that repository points back: the file alone could have been written by an agent.
// Nor may it be a way out of what an agent can change, where all of it could have been written.
struct CommonGitDir {
  std::string host;    // without links
  std::string inside;  // where git will look for it
};
Result<std::optional<CommonGitDir>> find_common_git_dir(const std::string& tree,
                                                        const std::string& inside,
                                                        const std::vector<std::string>& changeable);

}  // namespace fabric
