// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fabric/screen.hpp"
#include "fabric/text.hpp"
#include "fabric/top_view.hpp"

using namespace fabric;
using namespace fabric::cmd;

namespace {

TopData data_of(size_t agents, size_t events) {
  TopData data;
  data.now = WallTime{1700000000000000};
  data.workspace.workspace = "/a/very/long/path/" + std::string(100, 'x');
  data.workspace.pauses.push_back({PauseKind::agent, std::string(60, 'p'), "me", data.now});
  for (size_t i = 0; i < agents; ++i) {
    AgentView view;
    view.agent.definition.id = "agent" + std::to_string(100 + i);
    view.agent.state = AgentState::ready;
    view.tasks.running = i;  // the last is the busiest
    data.workspace.agents.push_back(view);
  }
  for (size_t i = 0; i < events; ++i) {
    Event event;
    event.sequence = i + 1;
    event.at = data.now;
    event.task = std::string(64, 't');
    event.agent = "agent100";
    event.detail = "event" + std::to_string(i);
    data.newest.push_back(event);
  }
  return data;
}

bool has(const std::vector<std::string>& lines, const std::string& text) {
  for (const std::string& line : lines)
    if (line.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("a frame fits every size of a terminal") {
  for (size_t agents : {0U, 1U, 5U, 100U})
    for (size_t events : {0U, 1U, 30U})
      for (size_t columns : {1U, 20U, 80U, 200U})
        for (size_t rows : {1U, 2U, 5U, 12U, 24U, 60U}) {
          size_t first = 7;
          const auto lines = top_lines(data_of(agents, events), {columns, rows}, first);
          REQUIRE(lines.size() == rows);
          for (const std::string& line : lines) REQUIRE(display_width(line) <= columns);
        }
}

TEST_CASE("the busiest agents come first, and scrolling ends at the last") {
  const TopData data = data_of(40, 30);
  size_t first = 0;
  auto lines = top_lines(data, {80, 24}, first);
  CHECK(has(lines, "agent139"));
  CHECK_FALSE(has(lines, "agent110"));
  first = 1;
  CHECK_FALSE(has(top_lines(data, {80, 24}, first), "agent139"));
  first = 1000;
  lines = top_lines(data, {80, 24}, first);
  CHECK(first == 40 - top_page(data, {80, 24}));
  CHECK(has(lines, "agents " + std::to_string(first + 1) + " to 40 of 40"));
}

TEST_CASE("events keep their lines beside many agents, the newest last") {
  size_t first = 0;
  const auto lines = top_lines(data_of(100, 30), {80, 24}, first);
  CHECK(has(lines, "event29"));
  CHECK(has(lines, "event26"));
  CHECK_FALSE(has(lines, "event25"));
}

TEST_CASE("a small terminal still shows agents") {
  size_t first = 0;
  const auto lines = top_lines(data_of(30, 30), {60, 12}, first);
  CHECK(has(lines, "agent129"));
  CHECK(has(lines, "event29"));
}

TEST_CASE("without a limit every agent is shown") {
  size_t first = 0;
  const auto lines = top_lines(data_of(100, 30), {0, 0}, first);
  CHECK(has(lines, "agent100"));
  CHECK(has(lines, "agent199"));
  CHECK_FALSE(has(lines, "q quits"));
}

TEST_CASE("keys are taken from what terminals send, also in pieces that mean nothing here") {
  std::string input = "j\x1b[Ax\x1b[1;5C\x1bOBq";
  CHECK(take_key(input) == Key::down);
  CHECK(take_key(input) == Key::up);
  CHECK(take_key(input) == Key::down);
  CHECK(take_key(input) == Key::quit);
  CHECK(take_key(input) == Key::none);
  CHECK(input.empty());
  for (std::string odd : {"\x1b", "\x1b[", "\x1b[99", "\x1bO", "\x1b\x1b\x1b"}) {
    CHECK(take_key(odd) == Key::none);
    CHECK(odd.empty());
  }
}
