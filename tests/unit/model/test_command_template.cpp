// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "base/json.hpp"
#include "model/command_template.hpp"

using namespace fabric;
using Words = std::vector<std::string>;

namespace {

Words expanded(const Words& command, const std::string& payload) {
  REQUIRE(json::validate(payload));
  auto result = expand_command(command, payload);
  REQUIRE(result);
  return *result;
}
std::string one(const std::string& argument, const std::string& payload) {
  return expanded({"x", argument}, payload).at(1);
}
Error refused(const std::string& argument, const std::string& payload) {
  auto result = expand_command({"x", argument}, payload);
  REQUIRE_FALSE(result);
  return result.error();
}

}  // namespace

TEST_CASE("strings are inserted verbatim, other values as their JSON text") {
  const std::string payload =
      R"( {"s":"a b","n":1.50e2,"t":true,"z":null,"o":{"k":[1, "x"]},"big":12345678901234567890123} )";
  CHECK(one("{payload.s}", payload) == "a b");
  CHECK(one("{payload.n}", payload) == "1.50e2");
  CHECK(one("{payload.t}", payload) == "true");
  CHECK(one("{payload.z}", payload) == "null");
  CHECK(one("{payload.o}", payload) == R"({"k":[1, "x"]})");
  CHECK(one("{payload.o.k}", payload) == R"([1, "x"])");
  CHECK(one("{payload.big}", payload) == "12345678901234567890123");
  CHECK(one("a{payload.s}b{payload.n}{payload.t}c", payload) == "aa bb1.50e2truec");
}

TEST_CASE("dots go into nested objects") {
  const std::string payload = R"({"a":{"a":{"b":"deep"},"b":"mid"},"b":"top"})";
  CHECK(one("{payload.a.a.b}", payload) == "deep");
  CHECK(one("{payload.a.b}", payload) == "mid");
  CHECK(one("{payload.b}", payload) == "top");
}

TEST_CASE("everything but {payload.KEY} is literal") {
  for (const char* text : {"{foo}", "{}", "{payload}", "{task.id}", "$HOME", "`id`", "%s",
                           "{ payload.a }", "{Payload.a}", "}{", "awk '{print $1}'", "{{}}"})
    CHECK(one(text, R"({"a":"v"})") == text);
  CHECK(one("{{payload.a}}", R"({"a":"v"})") == "{v}");
}

TEST_CASE("hostile values stay within their one argument") {
  const std::string hostile = R"(x; rm -rf / && `id` $(id) "q" 'q' \n * ? ~ | > < {payload.a})";
  json::Writer w;
  w.begin_object().field("a", hostile).field("b", "line\nbreak\ttab").field("c", "").end_object();
  const Words words =
      expanded({"sh", "{payload.a}", "{payload.b}", "{payload.c}", "end"}, w.text());
  // What a value contains is not expanded again.
  CHECK(words == Words{"sh", hostile, "line\nbreak\ttab", "", "end"});
}

TEST_CASE("escapes in strings and keys are read as JSON") {
  CHECK(one("{payload.a}", R"({"a":"\u00e9\/\\\ud83d\ude00"})") == "\xc3\xa9/\\\xf0\x9f\x98\x80");
  CHECK(one("{payload.ab}", R"({"\u0061b":"v"})") == "v");
}

TEST_CASE("of duplicate keys the last counts") {
  CHECK(one("{payload.a}", R"({"a":"1","a":"2"})") == "2");
}

TEST_CASE("a missing key is an error that names it") {
  CHECK(refused("{payload.b}", R"({"a":1})").message == R"(payload has no "b")");
  CHECK(refused("{payload.a.b}", R"({"a":1})").message == R"(payload has no "a.b")");
  CHECK(refused("{payload.a}", R"([{"a":1}])").message == R"(payload has no "a")");
  CHECK(refused("{payload.a}", R"("{\"a\":1}")").message == R"(payload has no "a")");
  CHECK(refused("{payload.a.b}", R"({"a":"{\"b\":1}"})").message == R"(payload has no "a.b")");
  CHECK(refused("{payload.a}", "null").code == ErrorCode::usage);
  CHECK(refused("{payload.a}", R"({"x":{"a":1}})").message == R"(payload has no "a")");
}

TEST_CASE("NUL characters and overlong arguments are refused") {
  CHECK(refused("{payload.a}", R"({"a":"x\u0000y"})").message.find("NUL") != std::string::npos);
  const std::string big = R"({"a":")" + std::string(k_max_argument, 'x') + "\"}";
  CHECK_FALSE(expand_command({"x", "{payload.a}"}, big));
}

TEST_CASE("a command is checked before any payload is there") {
  CHECK(check_command({"x", "{payload.a}", "{foo}", "-{payload.a-b.c_d}"}));
  CHECK_FALSE(check_command({}));
  CHECK_FALSE(check_command({""}));
  CHECK_FALSE(check_command({std::string("x\0y", 3)}));
  for (const char* text :
       {"{payload.}", "{payload.a", "{payload.a..b}", "{payload..a}", "{payload.a.}",
        "{payload.a b}", "{payload.$x}", "ok {payload.a} {payload.", "{payload.{payload.a}}"})
    CHECK(check_command({"x", text}).error().message.starts_with("malformed placeholder"));
}

TEST_CASE("the payload cannot choose the program") {
  CHECK_FALSE(check_command({"{payload.a}"}));
  CHECK_FALSE(check_command({"/bin/{payload.a}", "x"}));
  CHECK(expanded({"{payload.a}"}, R"({"a":"/bin/sh"})") == Words{"{payload.a}"});
}
