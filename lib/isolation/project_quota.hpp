// SPDX-License-Identifier: Apache-2.0
// The limit of a work directory as a project quota of its file system: the kernel refuses each
// write beyond it (EDQUOT), without a race. Needs root, a file system with project quotas (ext4,
// xfs) and its mount option prjquota. Root with CAP_SYS_RESOURCE is not bound by it, so it is for
// sandboxes whose agent has no capabilities.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace fabric {

// Gives the directory, and all that is in it, a project of its own with this limit. False when the
// file system keeps none, or we may not.
Result<bool> set_project_quota(const std::string& directory, uint64_t limit_bytes);
// Takes the limit away that an earlier call gave; nothing when there is none.
void lift_project_quota(const std::string& directory);
// What it holds, as the file system counts it; nullopt when it is not counted.
std::optional<uint64_t> project_usage(const std::string& directory);

}  // namespace fabric
