// SPDX-License-Identifier: Apache-2.0
// How much a directory holds, measured by looking at all of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace fabric {

struct DiskUsage {
  // What the file system gave for it, files that were removed but are still open included. A file
  // counts as 1 KiB at least, for its inode.
  uint64_t bytes = 0;
  uint64_t files = 0;
  // Directories nested deeper than k_deepest_directory were not looked into.
  bool too_deep = false;
};
constexpr size_t k_deepest_directory = 256;

// `processes`: whose open files count when they are removed ones of the same file system. The tree
// may change meanwhile, and be hostile: links are not followed, other mounts not entered.
Result<DiskUsage> measure_directory(const std::string& path, const std::vector<pid_t>& processes);

}  // namespace fabric
