// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fabric/graph.hpp"

using namespace fabric;
using namespace fabric::cmd;

TEST_CASE("layers follow the longest way, and no two nodes share a place") {
  Graph graph;
  for (const char* id : {"a", "b", "c", "d", "e"}) graph.nodes.push_back({id, {}, true});
  graph.edges = {{0, 1}, {1, 2}, {0, 2}, {0, 3}, {3, 4}, {2, 4}};
  const std::vector<GraphPlace> places = layout(graph);
  CHECK(places[0].layer == 0);
  CHECK(places[1].layer == 1);
  CHECK(places[2].layer == 2);
  CHECK(places[3].layer == 1);
  CHECK(places[4].layer == 3);
  CHECK(places[1].order != places[3].order);
}

TEST_CASE("what is drawn is escaped") {
  Graph graph;
  graph.nodes = {{"<a&\"b\">", TaskState::failed, true}};
  CHECK(graph_svg(graph).find("&lt;a&amp;&quot;b&quot;&gt;") != std::string::npos);
  CHECK(graph_dot(graph).find("\\\"b\\\"") != std::string::npos);
}

TEST_CASE("a long chain is drawn without recursion") {
  Graph graph;
  for (size_t i = 0; i < 2000; ++i) {
    graph.nodes.push_back({"t" + std::to_string(i), {}, true});
    if (i > 0) graph.edges.push_back({i - 1, i});
  }
  CHECK(layout(graph)[1999].layer == 1999);
  CHECK(graph_text(graph).find("t1999") != std::string::npos);
}
