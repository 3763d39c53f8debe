// SPDX-License-Identifier: Apache-2.0
// Tasks and what they depend on, as a picture: text, Graphviz, Mermaid or SVG. Pure.
#pragma once

#include <string>
#include <vector>

#include "model/task.hpp"

namespace fabric::cmd {

struct GraphNode {
  std::string id;
  TaskState state = TaskState::pending;
  bool known = true;  // false: retention has removed it
};
struct Graph {
  std::vector<GraphNode> nodes;
  struct Edge {
    size_t before = 0, after = 0;  // indices of nodes: `after` depends on `before`
  };
  std::vector<Edge> edges;
};

// Those nodes that edges lead to from `root`, in either direction.
Graph connected(const Graph& graph, size_t root);

// Where a node stands: its layer (what it depends on is in earlier ones), and its place there.
struct GraphPlace {
  size_t layer = 0, order = 0;
};
// Layers by the longest way, order within them by the mean place of what a node depends on.
// Edges that would close a circle (there are none among tasks) are passed over.
std::vector<GraphPlace> layout(const Graph& graph);

// An indented tree; a node that was shown before is named again without what hangs on it.
std::string graph_text(const Graph& graph);
std::string graph_dot(const Graph& graph);
std::string graph_mermaid(const Graph& graph);
std::string graph_svg(const Graph& graph);

}  // namespace fabric::cmd
