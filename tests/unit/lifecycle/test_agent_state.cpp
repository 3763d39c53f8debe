// SPDX-License-Identifier: Apache-2.0
// The table of transitions: what is listed leads where it says, all else is refused.
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

#include "lifecycle/agent_state.hpp"

using namespace fabric;

namespace {

// `busy` is only shown, never stored.
constexpr std::array k_states{AgentState::starting, AgentState::ready,   AgentState::busy,
                              AgentState::stopping, AgentState::stopped, AgentState::failed};
constexpr std::array k_events{
    AgentEvent::start,        AgentEvent::sandbox_ready, AgentEvent::sandbox_failed,
    AgentEvent::sandbox_lost, AgentEvent::give_up,       AgentEvent::terminate,
    AgentEvent::down};

std::string name(AgentState from, AgentEvent event) {
  return std::string(to_string(from)) + " " + std::string(to_string(event));
}

}  // namespace

TEST_CASE("every state and every event: the next state or none") {
  const std::map<std::string, AgentState> expected{
      {"starting start", AgentState::starting},
      {"starting sandbox_ready", AgentState::ready},
      {"starting sandbox_failed", AgentState::failed},
      {"starting give_up", AgentState::failed},
      {"starting terminate", AgentState::stopping},
      {"starting down", AgentState::stopped},
      {"ready start", AgentState::starting},
      {"ready sandbox_lost", AgentState::starting},
      {"ready give_up", AgentState::failed},
      {"ready terminate", AgentState::stopping},
      {"ready down", AgentState::stopped},
      {"stopped start", AgentState::starting},
      {"stopped terminate", AgentState::stopping},
      {"failed start", AgentState::starting},
      {"failed terminate", AgentState::stopping},
      {"stopping terminate", AgentState::stopping},
  };
  for (AgentState from : k_states)
    for (AgentEvent event : k_events) {
      CAPTURE(name(from, event));
      auto found = expected.find(name(from, event));
      std::optional<AgentState> next = next_state(from, event);
      CHECK(next.has_value() == (found != expected.end()));
      if (next && found != expected.end()) CHECK(*next == found->second);
    }
}

TEST_CASE("no transition is listed twice") {
  std::set<std::string> seen;
  for (const AgentTransition& t : k_agent_transitions)
    CHECK(seen.insert(name(t.from, t.event)).second);
}

TEST_CASE("from every state an agent can be ended, and a stopping one only ends") {
  for (AgentState from : k_states) {
    if (from == AgentState::busy) continue;
    CHECK(next_state(from, AgentEvent::terminate) == AgentState::stopping);
  }
  for (AgentEvent event : k_events)
    CHECK(next_state(AgentState::stopping, event).value_or(AgentState::stopping) ==
          AgentState::stopping);
}

TEST_CASE("events have names of their own") {
  std::set<std::string_view> names;
  for (AgentEvent event : k_events) {
    CHECK_FALSE(to_string(event).empty());
    CHECK(names.insert(to_string(event)).second);
  }
}
