// SPDX-License-Identifier: Apache-2.0
// What steers fabric is no agent's: who writes it chooses what runs, and with which rights.
#pragma once

#include <string>

#include "base/result.hpp"
#include "isolation/path_plan.hpp"

namespace fabric {

// denied when `tree` would hand over a part of the workspace `root` that steers it; "" is none.
Status check_workspace(const HostTree& tree, const std::string& root);

}  // namespace fabric
