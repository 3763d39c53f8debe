// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include "config/layer_file.hpp"

namespace fabric::config {

bool apply_file(const std::string& directory, const std::string& name, FileKind kind, Draft& draft,
                std::vector<Problem>& problems) {
  const std::string path = directory + "/" + name;
  auto text = read_layer_file(directory, name);
  if (!text) {
    problems.push_back({path, {}, text.error()});
    return true;
  }
  if (!*text) return false;
  apply_text(**text, path, kind, draft, problems);
  return true;
}

void apply_settings_layers(const Workspace& workspace, Draft& draft,
                           std::vector<Problem>& problems) {
  apply_file(workspace.managed, "fabric.toml", k_managed, draft, problems);
  if (!workspace.tenant.empty())
    apply_file(workspace.tenant, "tenant.toml", k_tenant, draft, problems);
  apply_file(workspace.root, "fabric.toml", k_workspace, draft, problems);
}

bool apply_agent_layer(const Workspace& workspace, const std::string& agent, Draft& draft,
                       std::vector<Problem>& problems) {
  draft.settings.agent_defaults.id = agent;
  return apply_file(workspace.root, "agents/" + agent + "/agent.toml", k_agent, draft, problems);
}

}  // namespace fabric::config
