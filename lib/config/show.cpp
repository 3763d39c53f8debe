// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/id.hpp"
#include "config/load.hpp"
#include "config/settings_table.hpp"

namespace fabric::config {

Result<std::vector<EffectiveValue>> show(const Workspace& workspace, const std::string& agent) {
  Draft draft;
  std::vector<Problem> problems;
  apply_settings_layers(workspace, draft, problems);
  if (!agent.empty()) {
    TRY_STATUS(check_id(agent, "agent id"));
    if (!apply_agent_layer(workspace, agent, draft, problems))
      return fail(ErrorCode::not_found, "there is no " + workspace.agent_file(agent));
  }
  if (!problems.empty()) return fail(problems[0].error);

  std::vector<EffectiveValue> out;
  auto add = [&](const std::string& key, std::string value) {
    auto origin = draft.origins.find(key);
    out.push_back(
        {key, std::move(value), origin == draft.origins.end() ? "default" : origin->second});
  };
  for (const Setting& setting : settings_table()) {
    const std::string key(setting.key);
    if (setting.files == k_tenant && workspace.tenant.empty()) continue;
    if (setting.files == k_agent && agent.empty()) continue;
    if (setting.value) {
      add(key, setting.value(draft.settings));
      continue;
    }
    if (setting.map)
      for (const auto& [name, value] : setting.map(draft.settings))
        add(key + "." + name, quoted(value, std::string::npos));
    else
      for (const auto& [name, value] : setting.numbers(draft.settings))
        add(key + "." + name, std::to_string(value));
  }
  std::sort(out.begin(), out.end(),
            [](const EffectiveValue& a, const EffectiveValue& b) { return a.key < b.key; });
  return out;
}

}  // namespace fabric::config
