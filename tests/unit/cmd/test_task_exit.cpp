// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fabric/json_views.hpp"
#include "fabric/task_exit.hpp"

namespace fabric::cmd {
namespace {

TEST_CASE("the exit code of each end of a task") {
  Task task;
  task.state = TaskState::completed;
  CHECK(exit_code_of(task) == 0);
  task.state = TaskState::timed_out;
  CHECK(exit_code_of(task) == 8);
  task.state = TaskState::cancelled;
  CHECK(exit_code_of(task) == 1);
  task.state = TaskState::failed;
  CHECK(exit_code_of(task) == 1);
  task.exit_code = 42;
  CHECK(exit_code_of(task) == 42);
  task.signal = 9;
  CHECK(exit_code_of(task) == 137);
}

TEST_CASE("task JSON is valid whatever is in the task") {
  Task task;
  task.id = "t";
  task.type = "quote\" \x01 \xff";
  task.payload = R"({"n":12345678901234567890})";
  task.metadata = {{"k\n", "v"}};
  const std::string text = task_json(JsonChoice(), task);
  REQUIRE(json::validate(text));
  CHECK(text.find("12345678901234567890") != std::string::npos);
}

}  // namespace
}  // namespace fabric::cmd
