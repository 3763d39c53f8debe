// SPDX-License-Identifier: Apache-2.0
// The caller's list of workspaces that he trusts, in user_state_dir()/workspaces. One line each:
// device and inode of the workspace, device and inode of its .fabric, path. So a directory that was
// put in place of a trusted one is not trusted. Writers take a lock; the file is replaced whole.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"

namespace fabric::config {

struct DirectoryIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const DirectoryIdentity&) const = default;
};

struct Registration {
  std::string root;
  DirectoryIdentity workspace;
  DirectoryIdentity state;
};

enum class Trust : uint8_t { unknown, changed, trusted };

Result<Trust> look_up(const Registration& registration);
// Adds it, or replaces the one with the same path.
Status register_workspace(const Registration& registration);

}  // namespace fabric::config
