// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <set>

#include "model/agent.hpp"
#include "model/limits.hpp"
#include "model/task.hpp"

using namespace fabric;

TEST_CASE("task states read back; the last four are terminal") {
  for (int i = 0; i < k_task_states; ++i) {
    const auto state = static_cast<TaskState>(i);
    CHECK(parse_task_state(to_string(state)).value() == state);
    CHECK(is_terminal(state) == (i >= 2));
  }
  CHECK_FALSE(parse_task_state("done"));
  CHECK_FALSE(parse_task_state(""));
  CHECK_FALSE(parse_task_state("Pending"));
}

TEST_CASE("priorities read back, most urgent first") {
  for (int i = 0; i < k_priority_levels; ++i) {
    const auto priority = static_cast<Priority>(i);
    CHECK(parse_priority(to_string(priority)).value() == priority);
  }
  CHECK(Priority::critical < Priority::low);
  CHECK(parse_priority("urgent").error().hint == "use critical, high, normal or low");
}

TEST_CASE("reasons have names of their own") {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Reason::agent_gone); ++i)
    names.insert(to_string(static_cast<Reason>(i)));
  CHECK(names.size() == static_cast<size_t>(Reason::agent_gone) + 1);
  CHECK(to_string(Reason::agent_gone) == "agent_gone");
  CHECK(to_string(Reason::none).empty());
}

TEST_CASE("agent kinds, states and isolation levels read back") {
  for (auto kind : {AgentKind::exec, AgentKind::worker})
    CHECK(parse_agent_kind(to_string(kind)).value() == kind);
  for (int i = 0; i <= static_cast<int>(AgentState::failed); ++i) {
    const auto state = static_cast<AgentState>(i);
    CHECK(parse_agent_state(to_string(state)).value() == state);
  }
  for (auto level : {IsolationLevel::none, IsolationLevel::process, IsolationLevel::container})
    CHECK(parse_isolation_level(to_string(level)).value() == level);
  CHECK_FALSE(parse_agent_kind("shell"));
  CHECK_FALSE(parse_isolation_level("vm"));
}

TEST_CASE("task counts are kept by state") {
  TaskCounts counts;
  for (int i = 0; i < k_task_states; ++i) counts.of(static_cast<TaskState>(i)) = 1ULL << i;
  CHECK(counts.pending == 1);
  CHECK(counts.timed_out == 32);
  CHECK(counts.total() == 63);
}

TEST_CASE("cores are counted in thousandths") {
  CHECK(parse_cpu_cores("1.0").value() == 1000);
  CHECK(parse_cpu_cores("0.25").value() == 250);
  CHECK(parse_cpu_cores("none").value() == 0);
  for (const char* text : {"", "0", "0.001", "-1", "nan", "inf", "1e2", "5000", "1 ", "one"})
    CHECK_FALSE(parse_cpu_cores(text));
  CHECK(cpu_cores_to_string(0) == "none");
  CHECK(cpu_cores_to_string(1000) == "1");
  CHECK(cpu_cores_to_string(250) == "0.25");
  for (uint32_t cores : {10U, 11U, 999U, 1001U, 123456U, 4096000U, 1234567U})
    CHECK(parse_cpu_cores(cpu_cores_to_string(cores)).value() == cores);
}

TEST_CASE("a submission is the same if all that its submitter said is") {
  Task a;
  a.id = "t";
  a.payload = R"({"a":1})";
  Task b = a;
  b.state = TaskState::running;
  b.user = "other";
  b.sequence = 9;
  CHECK(same_submission(a, b));
  b.payload = R"({"a": 1})";
  CHECK_FALSE(same_submission(a, b));
}
