// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/workspace.hpp"

namespace fabric::config {

// The workspace at `root` (absolute, resolved), with its tenant looked up; trust is not checked.
Result<Workspace> workspace_at(std::string root, const std::string& managed);

}  // namespace fabric::config
