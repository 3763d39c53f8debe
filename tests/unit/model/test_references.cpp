// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <map>

#include "base/json.hpp"
#include "model/references.hpp"
#include "model/task.hpp"

using namespace fabric;
using Ids = std::vector<std::string>;

namespace {

using Results = std::map<std::string, std::string, std::less<>>;

Result<std::string> try_expand(std::string_view payload, const Results& results) {
  return expand_references(payload, [&](std::string_view id) -> Result<std::string> {
    auto found = results.find(id);
    if (found == results.end()) return fail(ErrorCode::not_found, "no task " + std::string(id));
    return found->second;
  });
}

std::string expanded(std::string_view payload, const Results& results) {
  auto out = try_expand(payload, results);
  REQUIRE(out);
  CHECK(json::validate(*out));
  return *out;
}

std::string refused(std::string_view payload, const Results& results) {
  auto out = try_expand(payload, results);
  REQUIRE_FALSE(out);
  CHECK(out.error().code == ErrorCode::usage);
  return out.error().message;
}

Ids ids(std::string_view payload) {
  auto found = referenced_tasks(payload);
  REQUIRE(found);
  return *found;
}

}  // namespace

TEST_CASE("a string that is one reference becomes the value") {
  const Results results = {{"a", R"( {"n":1.50e2,"s":"x\n\u00e9","o":{"k":[1, "x"]},"z":null,)"
                                 R"("big":12345678901234567890123} )"
                                 "\n"},
                           {"n", "42\n"},
                           {"s", R"("text")"},
                           {"f", "false"}};
  CHECK(expanded(R"("{tasks.n.result}")", results) == "42");
  CHECK(expanded(R"(["{tasks.s.result}" , "{tasks.f.result}"])", results) == R"(["text" , false])");
  CHECK(expanded(R"({"v":"{tasks.a.result.n}"})", results) == R"({"v":1.50e2})");
  CHECK(expanded(R"({"v":"{tasks.a.result.s}"})", results) == R"({"v":"x\n\u00e9"})");
  CHECK(expanded(R"({"v":"{tasks.a.result.o}"})", results) == R"({"v":{"k":[1, "x"]}})");
  CHECK(expanded(R"({"v":"{tasks.a.result.o.k}"})", results) == R"({"v":[1, "x"]})");
  CHECK(expanded(R"({"v":"{tasks.a.result.z}"})", results) == R"({"v":null})");
  CHECK(expanded(R"({"v":"{tasks.a.result.big}"})", results) == R"({"v":12345678901234567890123})");
}

TEST_CASE("within a longer string values are inserted as text") {
  const Results results = {{"a", R"({"n":1.50e2,"s":"q\"\\\n\ud83d\ude00","o":{"k":"v\\"}})"},
                           {"t", "plain \"text\"\n"}};
  CHECK(expanded(R"("<{tasks.a.result.n}>")", results) == R"("<1.50e2>")");
  CHECK(expanded(R"("<{tasks.a.result.s}>")", results) == R"("<q\"\\\n\ud83d\ude00>")");
  CHECK(expanded(R"(" {tasks.t.result}")", results) == R"(" plain \"text\"")");
  const std::string object = expanded(R"("{tasks.a.result.o}.")", results);
  CHECK(json::text_of(*json::parse(object)) == R"({"k":"v\\"}.)");
  CHECK(expanded(R"("{tasks.a.result.n}{tasks.a.result.n}")", results) == R"("1.50e21.50e2")");
  CHECK(expanded(R"("{{tasks.t.result}}")", results) == R"("{plain \"text\"}")");
  CHECK(expanded(R"("\\{tasks.a.result.n}\"")", results) == R"("\\1.50e2\"")");
}

TEST_CASE("all else stays as it was, keys and spelling included") {
  const std::string payload =
      R"({ "{tasks.a.result}" : 1.0e+1, "k\u0041" :"{tasks.a.result}","x":[ "{task}", "{tasks" ]})";
  CHECK(expanded(payload, {{"a", "7"}}) ==
        R"({ "{tasks.a.result}" : 1.0e+1, "k\u0041" :7,"x":[ "{task}", "{tasks" ]})");
  CHECK(ids(R"({"{tasks.bad" : 1})").empty());
  CHECK(expanded(R"({"{tasks.bad"
    :  "x"})",
                 {}) == "{\"{tasks.bad\"\n    :  \"x\"}");
}

TEST_CASE("without the text nothing is even read as JSON") {
  CHECK(try_expand("not JSON", {}).value() == "not JSON");
  CHECK(ids("{payload.x} {task.s}").empty());
}

TEST_CASE("an escaped brace makes the text literal") {
  const std::string payload = R"(["\u007btasks.a.result}","{tasks.a.result}"])";
  CHECK(ids(payload) == Ids{"a"});
  CHECK(expanded(payload, {{"a", "1"}}) == R"(["\u007btasks.a.result}",1])");
}

TEST_CASE("a result that is not JSON is a string without its last newline") {
  CHECK(expanded(R"("{tasks.a.result}")", {{"a", "two\nlines\n\n"}}) == R"("two\nlines\n")");
  CHECK(expanded(R"("{tasks.a.result}")", {{"a", ""}}) == R"("")");
  CHECK(expanded(R"("{tasks.a.result}")", {{"a", "\n"}}) == R"("")");
  CHECK(expanded(R"("{tasks.a.result}")", {{"a", "{\"cut\":"}}) == R"("{\"cut\":")");
  CHECK(expanded(R"("{tasks.a.result}")", {{"a", std::string("\0\xff", 2)}}) ==
        "\"\\u0000\xef\xbf\xbd\"");
  CHECK(refused(R"("{tasks.a.result.k}")", {{"a", "plain"}}) == "result of task a is not JSON");
  CHECK(refused(R"("{tasks.a.result.k}")", {{"a", ""}}) == "result of task a is not JSON");
}

TEST_CASE("a missing key is an error that names task and key") {
  const Results results = {{"a", R"({"k":{"l":1},"s":"{\"l\":1}"})"}, {"v", "[1]"}};
  CHECK(refused(R"("{tasks.a.result.x}")", results) == R"(result of task a has no "x")");
  CHECK(refused(R"("{tasks.a.result.k.m}")", results) == R"(result of task a has no "k.m")");
  CHECK(refused(R"("{tasks.a.result.l}")", results) == R"(result of task a has no "l")");
  CHECK(refused(R"("{tasks.a.result.s.l}")", results) == R"(result of task a has no "s.l")");
  CHECK(refused(R"("{tasks.v.result.0}")", results) == R"(result of task v has no "0")");
}

TEST_CASE("of members with one name the last counts") {
  CHECK(expanded(R"("{tasks.a.result.k}")", {{"a", R"({"k":1,"k":2})"}}) == "2");
  CHECK(refused(R"("{tasks.a.result.k.l}")", {{"a", R"({"k":{"l":1},"k":2})"}}) ==
        R"(result of task a has no "k.l")");
}

TEST_CASE("an id with dots ends at the first .result") {
  CHECK(ids(R"("{tasks.a.b.result.x}")") == Ids{"a.b"});
  CHECK(ids(R"("{tasks.v1.2.result}")") == Ids{"v1.2"});
  CHECK(ids(R"("{tasks.a.results.result}")") == Ids{"a.results"});
  CHECK(ids(R"("{tasks.result.result}")") == Ids{"result"});
  CHECK(ids(R"("{tasks.a.result.result}")") == Ids{"a"});
  CHECK(expanded(R"("{tasks.a.result.result}")", {{"a", R"({"result":5})"}}) == "5");
  CHECK(expanded(R"("{tasks.a.b.result.x.y}")", {{"a.b", R"({"x":{"y":6}})"}}) == "6");
}

TEST_CASE("ids come in order, each once, and each result is asked for once") {
  const std::string payload =
      R"({"1":"{tasks.b.result} {tasks.a.result}","2":["{tasks.b.result.x}"]})";
  CHECK(ids(payload) == Ids{"b", "a"});
  Ids asked;
  auto out = expand_references(payload, [&](std::string_view id) -> Result<std::string> {
    asked.emplace_back(id);
    return std::string(R"({"x":1})");
  });
  CHECK(out);
  CHECK(asked == Ids{"b", "a"});
}

TEST_CASE("what begins as a reference but is none is named") {
  for (const std::string text :
       {"{tasks.}", "{tasks.a}", "{tasks.a.resul}", "{tasks.a.results}", "{tasks..result}",
        "{tasks.-a.result}", "{tasks..a.result}", "{tasks.a.result.}", "{tasks.a.result..k}",
        "{tasks.a.result.k.}", "{tasks.a.result.a b}", "{tasks.a b.result}", "{tasks.a.result[0]}",
        "{tasks.{tasks.a.result}", "{tasks.a/b.result}"}) {
    CHECK(refused("\"ok {tasks.a.result} " + text + "\"", {{"a", "1"}}) ==
          "malformed reference \"" + text + "\"");
    CHECK(referenced_tasks("[\"" + text + "\"]").error().message ==
          "malformed reference \"" + text + "\"");
  }
  CHECK(refused(R"(["{tasks.a.result","}"])", {}) == R"(malformed reference "{tasks.a.result")");
  CHECK(refused(R"("{tasks.a.result\u007d")", {}).starts_with("malformed reference"));
  CHECK(refused(R"("{tasks.\u0061.result}")", {}).starts_with("malformed reference"));
  const std::string long_id(65, 'i');
  CHECK(refused("\"{tasks." + long_id + ".result}\"", {}).starts_with("malformed reference"));
  // However long, the message is not.
  CHECK(refused("\"{tasks." + std::string(100000, 'x') + "\"", {}).size() < 200);
}

TEST_CASE("what was inserted is not expanded again") {
  const Results results = {{"a", R"("{tasks.b.result}")"},
                           {"b", "secret"},
                           {"half", R"("{tasks.")"},
                           {"quote", "\",\"x\":\"{tasks.b.result}\n"}};
  CHECK(expanded(R"("{tasks.a.result}")", results) == R"("{tasks.b.result}")");
  CHECK(expanded(R"("<{tasks.a.result}>")", results) == R"("<{tasks.b.result}>")");
  CHECK(expanded(R"("{tasks.half.result}b.result}")", results) == R"("{tasks.b.result}")");
  const std::string out = expanded(R"({"k":"{tasks.quote.result}!"})", results);
  CHECK(json::parse(out)->MemberCount() == 1);
}

TEST_CASE("payloads that are no JSON are refused once they have references") {
  for (const char* text : {"{tasks.a.result}", "\"{tasks.a.result}", "{\"a\":\"{tasks.a.result}\"",
                           "[\"{tasks.a.result}\\", "\"{tasks.a.result}\" x"}) {
    CHECK(refused(text, {{"a", "1"}}).starts_with("payload: invalid JSON"));
    CHECK_FALSE(referenced_tasks(text));
  }
}

TEST_CASE("the error of a task that has no result is passed on") {
  auto out = try_expand(R"("{tasks.gone.result}")", {});
  REQUIRE_FALSE(out);
  CHECK(out.error().code == ErrorCode::not_found);
  CHECK(out.error().message == "no task gone");
}

TEST_CASE("size, depth and number are limited") {
  const std::string big(k_max_payload - 2, 'x');
  CHECK(expanded(R"("{tasks.a.result}")", {{"a", big}}).size() == k_max_payload);
  CHECK(refused(R"("{tasks.a.result}")", {{"a", big + "x"}}).find("larger than 1048576") !=
        std::string::npos);
  CHECK(refused(R"("{tasks.a.result}" )", {{"a", big}}).find("larger") != std::string::npos);

  const int half = json::k_max_depth / 2;
  const auto nested = [](int depth, const std::string& inner) {
    const auto levels = static_cast<size_t>(depth);
    return std::string(levels, '[') + inner + std::string(levels, ']');
  };
  const std::string payload = nested(half, R"("{tasks.a.result}")");
  CHECK(try_expand(payload, {{"a", nested(half, "1")}}));
  CHECK(refused(payload, {{"a", nested(half + 1, "1")}}).find("nested deeper") !=
        std::string::npos);

  std::string many = "[";
  for (size_t i = 0; i < k_max_references; ++i) many += "\"{tasks.a.result}\",";
  CHECK(try_expand(many + "0]", {{"a", "1"}}));
  CHECK(refused(many + "\"{tasks.a.result}\"]", {{"a", "1"}}).find("more than 1024") !=
        std::string::npos);
}
