// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <set>

#include "fabric/cli.hpp"
#include "fabric/commands.hpp"
#include "fabric/options.hpp"

namespace fabric::cmd {
namespace {

constexpr Positional k_positionals[] = {{"FIRST", "one"},
                                        {"REST", "more", Complete::nothing, {}, false, true}};
constexpr Option k_options[] = {
    {"--name", "-n", "N", "a value"},
    {"--env", "", "E", "values", Takes::values},
    {"--force", "", "", "a flag", Takes::nothing},
    {"--level", "", "L", "a choice", Takes::value, Complete::nothing, "low|high"}};
const Command k_test{"test",
                     Group::hidden,
                     "a test",
                     "",
                     k_positionals,
                     k_options,
                     "COMMAND...",
                     {},
                     find_command("status")->json,
                     nullptr};

Result<Arguments> parse(std::vector<std::string> words) {
  return parse_arguments(k_test, std::move(words));
}
std::string message_of(std::vector<std::string> words) {
  auto parsed = parse(std::move(words));
  REQUIRE(!parsed);
  CHECK(parsed.error().code == ErrorCode::usage);
  return parsed.error().message;
}

TEST_CASE("positionals and values arrive as they were typed") {
  auto a = parse({"[1,2]", "[]", "{}", "", "-", "--name", "[x]", "--env", "[a,b]", "--env", "{}"});
  REQUIRE(a);
  CHECK(a->positionals() == std::vector<std::string>{"[1,2]", "[]", "{}", "", "-"});
  CHECK(a->value("--name") == "[x]");
  CHECK(a->values("--env") == std::vector<std::string>{"[a,b]", "{}"});
}

TEST_CASE("an option's value may stand behind =, be empty, or look like an option") {
  CHECK(parse({"x", "--name=a=b"})->value("--name") == "a=b");
  CHECK(parse({"x", "--name=", "y"})->value("--name") == "");
  CHECK(parse({"x", "--name=", "y"})->positionals().size() == 2);
  CHECK(parse({"x", "-n", "v"})->value("--name") == "v");
  CHECK(parse({"x", "--name", "--force"})->value("--name") == "--force");
}

TEST_CASE("--json never takes the next word") {
  auto a = parse({"--json", "x"});
  REQUIRE(a);
  CHECK(a->value("--json") == "");
  CHECK(a->positional(0) == "x");
  CHECK(parse({"x", "--json=a,b"})->value("--json") == "a,b");
}

TEST_CASE("what follows -- is left alone") {
  auto a = parse({"x", "--", "--name", "--", "[1,2]", "--help"});
  REQUIRE(a);
  CHECK(a->has_tail());
  CHECK(a->tail() == std::vector<std::string>{"--name", "--", "[1,2]", "--help"});
  CHECK(!a->has("--help"));
}

TEST_CASE("mistakes are named") {
  CHECK(message_of({}) == "test: FIRST is missing");
  CHECK(message_of({"x", "--nme", "y"}) == "test: unknown option '--nme'");
  CHECK(message_of({"x", "--name"}) == "test: --name needs a value (N)");
  CHECK(message_of({"x", "--name", "a", "--name", "b"}) == "test: --name is given more than once");
  CHECK(message_of({"x", "--force=1"}) == "test: --force takes no value");
  CHECK(message_of({"x", "--level", "hihg"}) == "test: --level: 'hihg' is none of low, high");
  CHECK(message_of({"x", "--na", "y"}) == "test: unknown option '--na'");
}

TEST_CASE("--help wins over what is missing") { CHECK(parse({"--help"})->has("--help")); }

TEST_CASE("pairs") {
  CHECK(parsed_pairs(*parse({"x", "--env", "a=1", "--env", "b=x=y"}), "--env")->at(1).second ==
        "x=y");
  CHECK(!parsed_pairs(*parse({"x", "--env", "a"}), "--env"));
  CHECK(!parsed_pairs(*parse({"x", "--env", "=a"}), "--env"));
  CHECK(!parsed_pairs(*parse({"x", "--env", "a=1", "--env", "a=2"}), "--env"));
}

TEST_CASE("every command has a summary, two examples and unique names of options") {
  for (const Command* command : all_commands()) {
    INFO(command->name);
    CHECK(!command->summary.empty());
    CHECK(!command->summary.ends_with('.'));
    CHECK(command->examples.size() == 2);
    CHECK(find_command(command->name) == command);
    std::set<std::string_view> names;
    for_each_option(*command,
                    [&](const Option& option) { CHECK(names.insert(option.name).second); });
    for (const Option& option : command->options) {
      CHECK(option.name.starts_with("--"));
      CHECK(option.help.ends_with('.'));
      CHECK((option.takes == Takes::nothing) == option.metavar.empty());
    }
    for (const Positional& positional : command->positionals)
      CHECK((positional.help.ends_with('.') || !positional.choices.empty()));
  }
}

}  // namespace
}  // namespace fabric::cmd
