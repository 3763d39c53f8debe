// SPDX-License-Identifier: Apache-2.0
#include "isolation/workspace_guard.hpp"

#include "isolation/host_path.hpp"

namespace fabric {

namespace {

bool is_work_of_an_agent(const std::string& host, const std::string& state) {
  const std::string rest = relative_to(host, state);
  if (!rest.starts_with("agents/")) return false;
  const size_t id_end = rest.find('/', 7);
  return id_end != std::string::npos && is_beneath(rest.substr(id_end), "/work");
}

}  // namespace

Status check_workspace(const HostTree& tree, const std::string& root) {
  if (root.empty()) return {};
  const std::string state = root + "/.fabric";
  if (!tree.read_only && tree.host != root && is_beneath(root, tree.host))
    return fail(ErrorCode::denied,
                tree.host + " holds the workspace " + root + ": what is above it can steer it",
                "name the workspace itself or directories in it");
  if (is_beneath(tree.host, state) && !is_work_of_an_agent(tree.host, state))
    return fail(ErrorCode::denied, tree.host + " is fabric's own state", "leave it out");
  if (tree.read_only) return {};
  for (const char* name : {"/fabric.toml", "/policies", "/agents"})
    if (is_beneath(tree.host, root + name))
      return fail(ErrorCode::denied, tree.host + " steers fabric; no agent may change it",
                  "use --ro");
  return {};
}

}  // namespace fabric
