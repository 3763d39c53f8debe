// SPDX-License-Identifier: Apache-2.0
// The layers of a workspace, read in order.
#pragma once

#include <string>
#include <vector>

#include "config/layers.hpp"
#include "config/workspace.hpp"

namespace fabric::config {

// One file onto the draft; a missing file is no problem. True when it was there.
bool apply_file(const std::string& directory, const std::string& name, FileKind kind, Draft& draft,
                std::vector<Problem>& problems);
// managed, tenant, workspace
void apply_settings_layers(const Workspace& workspace, Draft& draft,
                           std::vector<Problem>& problems);
// agents/ID/agent.toml; `agent` has passed check_id.
bool apply_agent_layer(const Workspace& workspace, const std::string& agent, Draft& draft,
                       std::vector<Problem>& problems);

}  // namespace fabric::config
