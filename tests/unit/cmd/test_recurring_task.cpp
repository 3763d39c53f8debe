// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "base/json.hpp"
#include "fabric/cli.hpp"
#include "fabric/commands.hpp"
#include "fabric/recurring_task.hpp"

namespace fabric::cmd {
namespace {

Result<Recurring> recurring(std::vector<std::string> words) {
  const auto arguments = parse_arguments(*find_command("schedule"), std::move(words));
  REQUIRE(arguments);
  return recurring_task(*arguments, arguments->positional(0), *arguments->value("--every"));
}

TEST_CASE("the call that adds a recurring task") {
  const auto task =
      recurring({"a", "--every", "0 9 * * 1-5", "--id", "daily", "--timezone", "Europe/Berlin",
                 "--missed", "once", "--priority", "low", "--group", "g", "--payload", "[1.50]"});
  REQUIRE(task);
  const auto call = json::parse(encode_recurring(*task));
  REQUIRE(call);
  CHECK(json::get_string(*call, "id") == "daily");
  CHECK(json::get_string(*call, "every") == "0 9 * * 1-5");
  CHECK(json::get_string(*call, "timezone") == "Europe/Berlin");
  CHECK(json::get_string(*call, "missed") == "once");
  CHECK(json::get_string(*call, "line") ==
        R"({"group":"g","agent":"a","priority":"low","payload":[1.50]})");
  CHECK(json::get_string(*call, "user").value_or("") != "");
  CHECK(json::get_string(*call, "correlation_id").value_or("") != "");
}

TEST_CASE("what is not said: a new id, and skip") {
  const auto task = recurring({"a", "--every", "@every 15m"});
  REQUIRE(task);
  CHECK(task->id.size() == 36);
  CHECK(task->missed == MissedRuns::skip);
}

TEST_CASE("nonsense is refused before the call") {
  CHECK_FALSE(recurring({"a", "--every", ""}));
  CHECK_FALSE(recurring({"a", "--every", "61 * * * *"}));
  CHECK_FALSE(recurring({"a", "--every", "* * * * *", "--timezone", "Nowhere/Here"}));
  CHECK_FALSE(recurring({"a", "--every", "* * * * *", "--id", "../x"}));
  CHECK_FALSE(recurring({"a", "--every", "* * * * *", "--payload", "nonsense"}));
}

}  // namespace
}  // namespace fabric::cmd
