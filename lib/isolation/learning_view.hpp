// SPDX-License-Identifier: Apache-2.0
// What a sandbox sees beside its own while it learns: the host's files, read-only, without those
// that are known to hold secrets.
#pragma once

#include <string>
#include <vector>

#include "isolation/mount_plan.hpp"
#include "model/sandbox_options.hpp"

namespace fabric {

// For `plan`, before the steps of path rules. Not shown: /tmp, /run, /sys, /proc, /dev, /boot of
// the host, `workspace`/.fabric, and in home directories what k_secrets lists.
void show_the_host(MountPlan& plan, const SandboxOptions& options, const std::string& workspace);

// What of k_secrets there is on this machine, without links in it.
std::vector<std::string> known_secrets();

}  // namespace fabric
