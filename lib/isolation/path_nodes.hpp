// SPDX-License-Identifier: Apache-2.0
// What is to be done at each path inside, in the order in which it must be done: parents first.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "isolation/path_plan.hpp"

namespace fabric {

struct PathNode {
  std::optional<HostTree> tree;
  bool work = false;  // the tree is mounted already
  bool pin = false;
  bool no_write = false;
  bool hide = false;
  bool make = false;       // in a root of its own: the agent could make it later
  bool if_exists = false;  // in the host's system directories, where nothing can be made
};

class PathNodes {
 public:
  PathNode& at(const std::string& inside);
  [[nodiscard]] const std::map<std::pair<size_t, std::string>, PathNode>& all() const {
    return nodes_;
  }
  // The node of `inside` or of the nearest directory above it that has a tree; null for none.
  [[nodiscard]] const PathNode* tree_of(const std::string& inside) const;
  // Whether a directory above `inside`, below the tree that it is in, is hidden.
  [[nodiscard]] bool in_hidden(const std::string& inside) const;

  // The steps, hidden directories that hold further trees closed last, and the tree of each k_tree.
  void emit(MountPlan& steps, std::vector<HostTree>& trees) const;

 private:
  [[nodiscard]] const PathNode* find(const std::string& inside) const;
  [[nodiscard]] bool in_unchangeable(const std::string& inside) const;
  [[nodiscard]] bool holds_tree(const std::string& inside) const;

  std::map<std::pair<size_t, std::string>, PathNode> nodes_;
};

}  // namespace fabric
