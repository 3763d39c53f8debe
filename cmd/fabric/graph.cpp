// SPDX-License-Identifier: Apache-2.0
#include "fabric/graph.hpp"

#include <algorithm>
#include <deque>

#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {
namespace {

std::string_view fill_of(const GraphNode& node) {
  if (!node.known) return "#eeeeee";
  switch (node.state) {
    case TaskState::completed:
      return "#c8e6c9";
    case TaskState::failed:
    case TaskState::timed_out:
      return "#ffcdd2";
    case TaskState::cancelled:
      return "#ffe0b2";
    case TaskState::running:
      return "#b3e5fc";
    case TaskState::pending:
      return "#f5f5f5";
  }
  return "#f5f5f5";
}

std::string state_of(const GraphNode& node) {
  return node.known ? std::string(to_string(node.state)) : "removed";
}

// Ids are of [A-Za-z0-9._-]; that is checked elsewhere, and is no reason to trust it here.
std::string xml(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

struct Neighbours {
  explicit Neighbours(const Graph& graph) : before(graph.nodes.size()), after(graph.nodes.size()) {
    for (const Graph::Edge& edge : graph.edges) {
      before[edge.after].push_back(edge.before);
      after[edge.before].push_back(edge.after);
    }
  }
  std::vector<std::vector<size_t>> before, after;
};

class Tree {
 public:
  explicit Tree(const Graph& graph)
      : graph_(graph), neighbours_(graph), shown_(graph.nodes.size(), false) {}
  std::string text() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (neighbours_.before[i].empty()) show(i);
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (!shown_[i]) show(i);
    return std::move(text_);
  }

 private:
  // Without recursion: chains may be long.
  void show(size_t root) {
    std::vector<std::pair<size_t, size_t>> stack{{root, 0}};
    while (!stack.empty()) {
      const auto [index, depth] = stack.back();
      stack.pop_back();
      const GraphNode& node = graph_.nodes[index];
      text_ += std::string(depth * 2, ' ') + printable(node.id) + "  " +
               coloured(state_of(node), node.known ? colour_of(node.state) : Colour::dim);
      if (shown_[index]) {
        text_ += neighbours_.after[index].empty() ? "\n" : "  (see above)\n";
        continue;
      }
      text_ += "\n";
      shown_[index] = true;
      const std::vector<size_t>& next = neighbours_.after[index];
      for (auto at = next.rbegin(); at != next.rend(); ++at) stack.emplace_back(*at, depth + 1);
    }
  }
  const Graph& graph_;
  Neighbours neighbours_;
  std::vector<bool> shown_;
  std::string text_;
};

}  // namespace

std::vector<GraphPlace> layout(const Graph& graph) {
  const Neighbours neighbours(graph);
  std::vector<GraphPlace> places(graph.nodes.size());
  std::vector<size_t> open(graph.nodes.size());
  std::deque<size_t> ready;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    open[i] = neighbours.before[i].size();
    if (open[i] == 0) ready.push_back(i);
  }
  std::vector<std::vector<size_t>> layers;
  for (; !ready.empty(); ready.pop_front()) {
    const size_t i = ready.front();
    if (places[i].layer >= layers.size()) layers.resize(places[i].layer + 1);
    layers[places[i].layer].push_back(i);
    for (size_t next : neighbours.after[i]) {
      places[next].layer = std::max(places[next].layer, places[i].layer + 1);
      if (--open[next] == 0) ready.push_back(next);
    }
  }
  for (const std::vector<size_t>& layer : layers) {
    std::vector<std::pair<double, size_t>> wanted;
    for (size_t i : layer) {
      double sum = 0;
      for (size_t before : neighbours.before[i]) sum += static_cast<double>(places[before].order);
      const size_t count = neighbours.before[i].size();
      wanted.emplace_back(count == 0 ? 0 : sum / static_cast<double>(count), i);
    }
    std::stable_sort(wanted.begin(), wanted.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t order = 0; order < wanted.size(); ++order)
      places[wanted[order].second].order = order;
  }
  return places;
}

Graph connected(const Graph& graph, size_t root) {
  const Neighbours neighbours(graph);
  std::vector<bool> reached(graph.nodes.size(), false);
  std::deque<size_t> open{root};
  reached[root] = true;
  for (; !open.empty(); open.pop_front())
    for (const auto* side : {&neighbours.before, &neighbours.after})
      for (size_t next : (*side)[open.front()])
        if (!reached[next]) {
          reached[next] = true;
          open.push_back(next);
        }
  Graph part;
  std::vector<size_t> index(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!reached[i]) continue;
    index[i] = part.nodes.size();
    part.nodes.push_back(graph.nodes[i]);
  }
  for (const Graph::Edge& edge : graph.edges)
    if (reached[edge.before]) part.edges.push_back({index[edge.before], index[edge.after]});
  return part;
}

std::string graph_text(const Graph& graph) { return Tree(graph).text(); }

std::string graph_dot(const Graph& graph) {
  std::string out = "digraph tasks {\n  rankdir=LR;\n  node [shape=box, style=filled];\n";
  for (const GraphNode& node : graph.nodes)
    out += "  " + quoted(node.id) + " [fillcolor=\"" + std::string(fill_of(node)) +
           "\", tooltip=\"" + state_of(node) + "\"];\n";
  for (const Graph::Edge& edge : graph.edges)
    out += "  " + quoted(graph.nodes[edge.before].id) + " -> " +
           quoted(graph.nodes[edge.after].id) + ";\n";
  return out + "}\n";
}

std::string graph_mermaid(const Graph& graph) {
  std::string out = "flowchart LR\n";
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    out += "  n" + std::to_string(i) + "[\"" + xml(graph.nodes[i].id) + "<br/>" +
           state_of(graph.nodes[i]) + "\"]\n";
  for (const Graph::Edge& edge : graph.edges)
    out += "  n" + std::to_string(edge.before) + " --> n" + std::to_string(edge.after) + "\n";
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    out += "  style n" + std::to_string(i) + " fill:" + std::string(fill_of(graph.nodes[i])) + "\n";
  return out;
}

std::string graph_svg(const Graph& graph) {
  const std::vector<GraphPlace> places = layout(graph);
  size_t layers = 1;
  size_t widest = 1;
  size_t longest = 8;
  for (const GraphPlace& place : places) {
    layers = std::max(layers, place.layer + 1);
    widest = std::max(widest, place.order + 1);
  }
  for (const GraphNode& node : graph.nodes) longest = std::max(longest, display_width(node.id));
  const size_t box_width = longest * 8 + 16;  // of a 13 px monospace font
  constexpr size_t k_box_height = 40;
  const size_t step_x = box_width + 60;
  constexpr size_t k_step_y = 60;
  const auto x_of = [&](size_t i) { return 20 + places[i].layer * step_x; };
  const auto y_of = [&](size_t i) { return 20 + places[i].order * k_step_y; };
  const auto n = [](size_t number) { return std::to_string(number); };
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + n(layers * step_x - 20) +
                    "\" height=\"" + n(widest * k_step_y + 20) +
                    "\" font-family=\"monospace\" font-size=\"13\">\n"
                    "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
                    "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
                    "<path d=\"M0,0 L8,4 L0,8 z\" fill=\"#555\"/></marker></defs>\n";
  for (const Graph::Edge& edge : graph.edges) {
    const size_t x1 = x_of(edge.before) + box_width;
    const size_t y1 = y_of(edge.before) + k_box_height / 2;
    const size_t x2 = x_of(edge.after);
    const size_t y2 = y_of(edge.after) + k_box_height / 2;
    out += "<path d=\"M" + n(x1) + "," + n(y1) + " C" + n(x1 + 30) + "," + n(y1) + " " +
           n(x2 - 30) + "," + n(y2) + " " + n(x2) + "," + n(y2) +
           "\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#tip)\"/>\n";
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    out += "<rect x=\"" + n(x_of(i)) + "\" y=\"" + n(y_of(i)) + "\" width=\"" + n(box_width) +
           "\" height=\"" + n(k_box_height) + "\" rx=\"4\" fill=\"" + std::string(fill_of(node)) +
           "\" stroke=\"#555\"/>\n";
    out += "<text x=\"" + n(x_of(i) + 8) + "\" y=\"" + n(y_of(i) + 17) + "\">" + xml(node.id) +
           "</text>\n";
    out += "<text x=\"" + n(x_of(i) + 8) + "\" y=\"" + n(y_of(i) + 33) +
           "\" fill=\"#555\" font-size=\"11\">" + state_of(node) + "</text>\n";
  }
  return out + "</svg>\n";
}

}  // namespace fabric::cmd
