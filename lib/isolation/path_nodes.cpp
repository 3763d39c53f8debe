// SPDX-License-Identifier: Apache-2.0
#include "isolation/path_nodes.hpp"

#include <algorithm>

#include "isolation/host_path.hpp"

namespace fabric {

namespace {

std::pair<size_t, std::string> key_of(const std::string& inside) {
  return {static_cast<size_t>(std::count(inside.begin(), inside.end(), '/')), inside};
}

std::string parent_of(const std::string& inside) { return inside.substr(0, inside.rfind('/')); }

std::string target_of(const std::string& inside) { return inside.substr(1); }

}  // namespace

PathNode& PathNodes::at(const std::string& inside) { return nodes_[key_of(inside)]; }

const PathNode* PathNodes::find(const std::string& inside) const {
  const auto found = nodes_.find(key_of(inside));
  return found == nodes_.end() ? nullptr : &found->second;
}

const PathNode* PathNodes::tree_of(const std::string& inside) const {
  for (std::string at = inside; !at.empty(); at = parent_of(at))
    if (const PathNode* node = find(at); node != nullptr && node->tree) return node;
  return nullptr;
}

bool PathNodes::in_hidden(const std::string& inside) const {
  for (std::string at = parent_of(inside); !at.empty(); at = parent_of(at)) {
    const PathNode* node = find(at);
    if (node != nullptr && node->hide) return true;
    if (node != nullptr && node->tree) return false;
  }
  return false;
}

bool PathNodes::in_unchangeable(const std::string& inside) const {
  for (std::string at = parent_of(inside); !at.empty(); at = parent_of(at)) {
    const PathNode* node = find(at);
    if (node != nullptr && node->no_write) return true;
    if (node != nullptr && node->tree) return node->tree->read_only;
  }
  return false;
}

bool PathNodes::holds_tree(const std::string& inside) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
    return entry.second.tree && entry.first.second != inside &&
           is_beneath(entry.first.second, inside);
  });
}

void PathNodes::emit(MountPlan& steps, std::vector<HostTree>& trees) const {
  MountPlan closing;
  for (const auto& [key, node] : nodes_) {
    const std::string& inside = key.second;
    const std::string target = target_of(inside);
    const bool hidden = in_hidden(inside), unchangeable = in_unchangeable(inside);
    if (node.tree && !node.work) {
      steps.push_back({wire::k_tree, node.tree->host, target,
                       node.tree->read_only ? uint64_t{wire::k_tree_read_only} : 0});
      trees.push_back(*node.tree);
    } else if (hidden) {
      continue;
    }
    const uint64_t lenient = node.make        ? uint64_t{wire::k_make}
                             : node.if_exists ? uint64_t{wire::k_if_exists}
                                              : 0;
    const bool closed = node.no_write || (node.work && node.tree->read_only);
    if (node.hide) {
      const bool holds = holds_tree(inside);
      steps.push_back(
          {wire::k_cover, "", target, lenient | (holds ? uint64_t{wire::k_cover_open} : 0)});
      if (holds) closing.push_back({wire::k_close, "", target});
    } else if (closed && !unchangeable && (!node.tree || node.work)) {
      steps.push_back({wire::k_no_write, "", target, lenient});
    } else if (node.pin && !node.tree && !unchangeable) {
      steps.push_back({wire::k_pin, "", target, node.if_exists ? uint64_t{wire::k_if_exists} : 0});
    }
  }
  steps.insert(steps.end(), closing.begin(), closing.end());
  for (const auto& [key, node] : nodes_)
    if (node.tree && !node.work && !node.tree->read_only)
      steps.push_back({wire::k_allow, "", target_of(key.second), wire::k_allow_all});
}

}  // namespace fabric
