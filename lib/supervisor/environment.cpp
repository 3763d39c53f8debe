// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "isolation/runtime_hints.hpp"
#include "supervisor/task_runner.hpp"

namespace fabric {
namespace {

void set(std::vector<std::string>& env, const std::string& name, const std::string& value) {
  const std::string prefix = name + "=";
  for (std::string& entry : env)
    if (entry.starts_with(prefix)) {
      entry = prefix + value;
      return;
    }
  env.push_back(prefix + value);
}

}  // namespace

// Nothing of the supervisor's own environment is handed on.
std::vector<std::string> agent_environment(const Agent& agent, const config::Workspace& workspace) {
  const AgentDefinition& d = agent.definition;
  std::vector<std::string> env;
  const bool walled = d.isolation != IsolationLevel::none;
  // Of a container its image says it (isolation/container.cpp).
  if (d.isolation != IsolationLevel::container)
    set(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  const std::string work = d.sandbox.work.empty() ? workspace.work_dir(d.id) : d.sandbox.work;
  set(env, "HOME", walled ? "/work" : work);
  if (d.isolation != IsolationLevel::container) {
    set(env, "LANG", "C.UTF-8");
    set(env, "USER", walled ? "agent" : d.user);
  }
  for (const auto& [name, value] : runtime_hints(d.limits)) set(env, name, value);
  for (const auto& [name, value] : d.env) set(env, name, value);
  std::string tools;
  for (const std::string& tool : d.tools) tools += (tools.empty() ? "" : ",") + tool;
  set(env, "FABRIC_AGENT_ID", d.id);
  set(env, "FABRIC_WORKSPACE", workspace.root);
  set(env, "FABRIC_MODEL", d.model);
  set(env, "FABRIC_TOOLS", tools);
  return env;
}

}  // namespace fabric
