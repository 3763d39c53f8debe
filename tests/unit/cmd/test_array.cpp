// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fabric/array.hpp"

namespace fabric::cmd {
namespace {

using Numbers = std::vector<uint64_t>;

TEST_CASE("numbers of an array") {
  CHECK(*parse_array("1-4") == Numbers{1, 2, 3, 4});
  CHECK(*parse_array("1-10:4") == Numbers{1, 5, 9});
  CHECK(*parse_array("1,5,9") == Numbers{1, 5, 9});
  CHECK(*parse_array("7,0-2") == Numbers{7, 0, 1, 2});
  CHECK(*parse_array("3-3") == Numbers{3});
  CHECK(parse_array("1-1000000")->size() == 1000000);
}

TEST_CASE("numbers that are none are refused") {
  for (const char* text : {"", ",", "1,", "a", "2-1", "1-", "-1", "1-2-3", "1-9:0", "1:2", "1-9:",
                           "1-1000001", "0-999999999", "99999999999999999999", "1,1", "1-3,2"})
    CHECK_FALSE(parse_array(text));
}

std::string expanded(const char* line, const std::string& item) {
  return ItemTemplate(line).expand(item);
}

TEST_CASE("a string that is the placeholder becomes the item as JSON") {
  CHECK(expanded(R"({"payload":{"n":"{item}"}})", "17") == R"({"payload":{"n":17}})");
  CHECK(expanded(R"({"payload":["{item}"]})", R"({"a": [1.50]})") ==
        R"({"payload":[{"a": [1.50]}]})");
  CHECK(expanded(R"({"payload":"{item}"})", "no JSON") == R"({"payload":"no JSON"})");
  CHECK(expanded(R"({"payload":"{item}"})", R"(a "b" \)") == R"({"payload":"a \"b\" \\"})");
}

TEST_CASE("within a string it is text") {
  CHECK(expanded(R"({"payload":"n={item}, {item}"})", "17") == R"({"payload":"n=17, 17"})");
  CHECK(expanded(R"({"payload":"<{item}>"})", R"({"a":1})") == R"({"payload":"<{\"a\":1}>"})");
  CHECK(expanded(R"({"payload":"<{item}>"})", R"("a\"b")") == R"({"payload":"<a\"b>"})");
}

TEST_CASE("metadata takes text only; keys and other fields take nothing") {
  CHECK(expanded(R"({"type":"{item}","metadata":{"{item}":"{item}"},"payload":{"{item}":1}})",
                 "2") == R"({"type":"{item}","metadata":{"{item}":"2"},"payload":{"{item}":1}})");
  CHECK(expanded(R"({"payload":"\u007bitem}"})", "2") == R"({"payload":"\u007bitem}"})");
  CHECK(expanded(R"({"payload":["\"{item}\\", "{item"]})", "2") ==
        R"({"payload":["\"2\\", "{item"]})");
}

}  // namespace
}  // namespace fabric::cmd
