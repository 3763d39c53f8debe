// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fabric/dag.hpp"

namespace fabric::cmd {
namespace {

std::string lines_of(Result<std::vector<DagEntry>> entries) {
  if (!entries) return entries.error().message;
  const auto lines = dag_lines("f", *entries, "g");
  if (!lines) return lines.error().message;
  std::string text;
  for (const std::string& line : *lines) text += line + "\n";
  return text;
}
std::string toml(const char* text) { return lines_of(read_dag_toml("f", text)); }
std::string json(const char* text) { return lines_of(read_dag_json("f", text)); }

TEST_CASE("tasks of TOML, with local names") {
  CHECK(
      toml(R"(
[[task]]
name = "build"
agent = "a"
payload = { n = 1, list = [1.5, true] }
[[task]]
name = "test"
agent = "b"
depends_on = ["build"]
after = "finish"
payload = "see {tasks.build.result.log} and {tasks.build.result}"
)") ==
      R"({"id":"g.build","group":"g","agent":"a","payload":{"n":1,"list":[1.5,true]}})"
      "\n"
      R"({"id":"g.test","group":"g","depends_on":["g.build"],"agent":"b","after":"finish","payload":"see {tasks.g.build.result.log} and {tasks.g.build.result}"})"
      "\n");
}

TEST_CASE("tasks of JSON: payloads stay verbatim") {
  CHECK(json(R"({"tasks": [
  {"name": "x", "agent": "a", "payload": {"n":
    1.500}},
  {"agent": "a", "id": "own", "depends_on": ["x"]},
  {"agent": "a", "depends_on": ["own"], "group": "h"}]})") ==
        R"({"id":"g.x","group":"g","agent":"a","payload":{"n":     1.500}})"
        "\n"
        R"({"id":"own","group":"g","depends_on":["g.x"],"agent":"a"})"
        "\n"
        R"({"id":"g.3","depends_on":["own"],"agent":"a","group":"h"})"
        "\n");
}

TEST_CASE("keys of a payload are no references") {
  CHECK(json(R"({"tasks":[{"name":"x","agent":"a"},{"name":"y","agent":"a","depends_on":["x"],)"
             R"("payload":{"{tasks.x.result}":"{tasks.x.result}"}}]})")
            .find(R"({"{tasks.x.result}":"{tasks.g.x.result}"})") != std::string::npos);
}

TEST_CASE("errors of TOML name line and column") {
  CHECK(toml("[[task]]\nagent = \"a\"\nprioritee = \"low\"\n") ==
        "f:3:1: unknown field 'prioritee'");
  CHECK(toml("[[task]]\nagent = \"a\"\npriority = 7\n").starts_with("f:3:12: "));
  CHECK(toml("[[task]]\nagent = \"a\"\ndepends_on = [\"ghost\"]\n") ==
        "f:3:14: no task of this file has the name 'ghost'");
  CHECK(toml("[[task]]\nname = \"x\"\n") == "f:1:1: field 'agent' is missing");
  CHECK(toml("[[task]]\nagent = \"a\"\ndeadline = 2026-11-25T14:30:00Z\n") ==
        "f:3:12: a time is written as a string here");
  CHECK(toml("[[task]]\nname = \"x\"\nagent = \"a\"\n[[task]]\nname = \"x\"\nagent = \"a\"\n") ==
        "f:5:8: two tasks have the name 'x'");
  CHECK(toml("[task]\nagent = \"a\"\n") == "f:1:2: 'task' must be a list of tables");
  CHECK(toml("agent = \"a\"\n") == "f:1:1: unknown key 'agent'");
  CHECK(toml("[[task]\n").starts_with("f:1:"));
  CHECK(toml("") == "f: there are no tasks");
}

TEST_CASE("errors of JSON name line and column") {
  CHECK(json("{\"tasks\": [\n  {\"agent\": \"a\",\n   \"prioritee\": 1}]}") ==
        "f:3:17: unknown field 'prioritee'");
  CHECK(json("{\"tasks\": [\n  {\"agent\": \"\xc3\xa4\", \"priority\": 1}]}")
            .starts_with("f:2:13: "));
  CHECK(json("{\"tasks\": [7]}") == "f:1:12: a task must be an object");
  CHECK(json("{\"tasks\": [{\"agent\":\"a\",\"agent\":\"b\"}]}")
            .starts_with("f:1:33: field 'agent' twice"));
  CHECK(json("{\"task\": []}") == "f:1:10: unknown field 'task'");
  CHECK(json("{}") == "f:1:1: there is no list of tasks");
  CHECK(json("{\"tasks\": []}") == "f: there are no tasks");
  CHECK(json("{\"tasks\": [").starts_with("f: invalid JSON"));
}

TEST_CASE("a cycle is shown in local names") {
  const std::string message = toml(
      "[[task]]\nname='x'\nagent='a'\ndepends_on=['y']\n[[task]]\nname='y'\nagent='a'\n"
      "depends_on=['x']\n");
  CHECK(message.starts_with("f: "));
  CHECK(message.find("x -> y -> x") != std::string::npos);
  CHECK(toml("[[task]]\nname='x'\nagent='a'\ndepends_on=['x']\n").find("x -> x") !=
        std::string::npos);
}

TEST_CASE("a reference needs a dependency") {
  CHECK(toml("[[task]]\nname='x'\nagent='a'\n[[task]]\nname='y'\nagent='a'\n"
             "payload='{tasks.x.result}'\n") ==
        "f:7:9: the payload refers to task 'x', which is not in depends_on");
  CHECK(toml("[[task]]\nname='y'\nagent='a'\npayload='{tasks.x.result}'\n") ==
        "f:4:9: no task of this file has the name 'x'");
}

}  // namespace
}  // namespace fabric::cmd
