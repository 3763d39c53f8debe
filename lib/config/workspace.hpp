// SPDX-License-Identifier: Apache-2.0
// Where a workspace is, what belongs to it, and whether this user trusts it.
//
// A workspace is a directory with fabric.toml, found by walking up from a start directory as git
// does; its tenant is the nearest directory above with tenant.toml, if any. A cloned repository can
// carry a hostile .fabric/, so only workspaces that the caller owns and has registered (path and
// inode, in the caller's own state directory) are opened, as with git's safe.directory.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace fabric::config {

struct Workspace {
  std::string root;                     // absolute, symlinks resolved
  std::string tenant;                   // directory of tenant.toml; "" when there is none
  std::string managed = "/etc/fabric";  // the administrator's layer; need not exist

  [[nodiscard]] std::string state_dir() const { return root + "/.fabric"; }
  [[nodiscard]] std::string store_dir() const { return state_dir() + "/store"; }
  [[nodiscard]] std::string run_dir() const { return state_dir() + "/run"; }
  [[nodiscard]] std::string owner_path() const { return run_dir() + "/owner"; }
  [[nodiscard]] std::string control_socket() const { return run_dir() + "/control.sock"; }
  [[nodiscard]] std::string supervisor_log() const { return state_dir() + "/logs/supervisor.log"; }
  // Directory of the log files of an agent's tasks. `agent` has passed check_id.
  [[nodiscard]] std::string logs_dir(const std::string& agent) const {
    return state_dir() + "/logs/" + agent;
  }
  // What an agent that learned turned out to need (fabric-learned(1)).
  [[nodiscard]] std::string learned_file(const std::string& agent) const {
    return agent_state_dir(agent) + "/learned.toml";
  }
  [[nodiscard]] std::string agent_state_dir(const std::string& agent) const {
    return state_dir() + "/agents/" + agent;
  }
  // Of an agent of isolation level container: what it changed in its root file system.
  [[nodiscard]] std::string changes_dir(const std::string& agent) const {
    return agent_state_dir(agent) + "/changes";
  }
  [[nodiscard]] std::string work_dir(const std::string& agent) const {
    return agent_state_dir(agent) + "/work";
  }
  [[nodiscard]] std::string agent_file(const std::string& agent) const {
    return root + "/agents/" + agent + "/agent.toml";
  }
};

struct FindOptions {
  std::string start;  // -C DIR; "" is $FABRIC_WORKSPACE if set, else the current directory
  std::string managed = "/etc/fabric";
};

// not_found with the hint `fabric init` when there is none. Checks owner and trust.
Result<Workspace> find_workspace(const FindOptions& options);

// Makes fabric.toml (commented defaults), policies/, agents/, .fabric/ (0700, git-ignored), and
// registers it. Makes the directory itself when its parent exists. Refuses an existing workspace.
Result<Workspace> init_workspace(const std::string& directory);

// Registers an existing workspace of the caller's, after he looked at it.
Result<Workspace> trust_workspace(const std::string& directory);

// The caller's own state directory: $XDG_STATE_HOME/fabric, else ~/.local/state/fabric.
Result<std::string> user_state_dir();

}  // namespace fabric::config
