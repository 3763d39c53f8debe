// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "base/json.hpp"

using namespace fabric;

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  json::append_quoted(out, text);
  return out;
}
std::string nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') +
         std::string(static_cast<size_t>(depth), ']');
}

}  // namespace

TEST_CASE("valid JSON passes, with space around it") {
  for (const char* text :
       {"null", "1", "-0.5e3", "\"x\"", "[]", "{}", " {\"a\":[1,2,{\"b\":null}]} \n",
        "\"\\ud83d\\ude00\"", "123456789012345678901234567890"}) {
    INFO(text);
    CHECK(json::parse(text));
    CHECK(json::validate(text));
  }
}

TEST_CASE("what is not JSON is refused with line and column") {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "{a:1}",
                           "'x'",
                           "1 2",
                           "[1]]",
                           "01",
                           "\"\n\"",
                           "\"\\x\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "{\"\\ude00\":1}",
                           "\"\\ud83dx\"",
                           "NaN",
                           "Infinity",
                           "1e999",
                           "//x\n1"}) {
    INFO(text);
    CHECK_FALSE(json::parse(text));
    CHECK_FALSE(json::validate(text));
  }
  CHECK(json::parse("{\n  \"a\": x}").error().message.starts_with("invalid JSON at 2:8: "));
}

TEST_CASE("bytes that are not UTF-8 are refused") {
  for (const char* text : {"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
                           "\"\xe2\x82\"", "{\"\xff\":1}"})
    CHECK_FALSE(json::validate(text));
  CHECK(json::validate("\"\xe2\x82\xac\""));
}

TEST_CASE("a NUL byte does not hide what follows it") {
  for (std::string_view text : {std::string_view("1\0", 2), std::string_view("{} \0garbage", 11),
                                std::string_view("\"a\0b\"", 5), std::string_view("\0", 1)}) {
    CHECK_FALSE(json::parse(text));
    CHECK_FALSE(json::validate(text));
  }
}

TEST_CASE("depth is limited, and no depth overflows the stack") {
  CHECK(json::parse(nested(json::k_max_depth)));
  CHECK(json::parse(nested(json::k_max_depth + 1)).error().message.find("deeper than 64") !=
        std::string::npos);
  CHECK_FALSE(json::validate(nested(json::k_max_depth + 1)));
  CHECK_FALSE(json::validate(std::string(1000000, '[')));
  CHECK_FALSE(json::parse(std::string(1000000, '[')));
}

TEST_CASE("raw_member is the verbatim text of a top-level member") {
  CHECK(json::raw_member(R"({"a":1})", "a") == "1");
  CHECK(json::raw_member(R"( {"x" : "y", "a" : 1.50e+1 , "b":2})", "a") == "1.50e+1");
  CHECK(json::raw_member(R"({"a":"\u0041\"}"})", "a") == R"("\u0041\"}")");
  CHECK(json::raw_member(R"({"a":[1, 2 ]})", "a") == "[1, 2 ]");
  CHECK(json::raw_member(R"({"a":12345678901234567890123})", "a") == "12345678901234567890123");
  CHECK(json::raw_member(R"({"a":null,"b":true})", "a") == "null");
  CHECK(json::raw_member(R"({"a":1})", "b").empty());
  CHECK(json::raw_member(R"([{"a":1}])", "a").empty());
  CHECK(json::raw_member("7", "a").empty());
}

TEST_CASE("raw_at goes down a path of keys") {
  const auto at = [](std::string_view text, std::vector<std::string_view> path) {
    return std::string(json::raw_at(text, path));
  };
  const std::string text =
      R"({"b":{"a":0},"a":{"x":[{"b":1}],"b":{"a":{"b":[2 ]},"b" : "deep"} , "c":1.50}})";
  CHECK(at(text, {"a", "b", "b"}) == R"("deep")");
  CHECK(at(text, {"a", "b", "a"}) == R"({"b":[2 ]})");
  CHECK(at(text, {"a", "b", "a", "b"}) == "[2 ]");
  CHECK(at(text, {"a", "c"}) == "1.50");
  CHECK(at(text, {"b", "a"}) == "0");
  CHECK(at(text, {"a", "x", "b"}).empty());
  CHECK(at(text, {"b", "a", "b"}).empty());
  CHECK(at(text, {"a", "a"}).empty());
  CHECK(at(R"([{"a":{"b":1}}])", {"a", "b"}).empty());
  CHECK(at(R"({"a":[{"b":1}]})", {"a", "b"}).empty());
  // The last of a name counts on every level.
  CHECK(at(R"({"a":{"b":1},"a":{"b":2,"b":3}})", {"a", "b"}) == "3");
  CHECK(at(R"({"a":{"b":1},"a":2})", {"a", "b"}).empty());
  CHECK(at(R"({"a":{"b":{"c":1},"b":{}}})", {"a", "b", "c"}).empty());
  CHECK(at(R"({"a":2,"a":{"b":1}})", {"a", "b"}) == "1");
}

TEST_CASE("raw_member with keys of the same name inside values") {
  CHECK(json::raw_member(R"({"a":{"a":1,"b":{"a":2}},"c":3})", "a") == R"({"a":1,"b":{"a":2}})");
  CHECK(json::raw_member(R"({"b":{"a":1},"a":2})", "a") == "2");
  CHECK(json::raw_member(R"({"b":[{"a":1}],"c":{"x":{"a":5}}})", "a").empty());
  CHECK(json::raw_member(R"({"a":{"x":1}, "z":{"a":9}})", "a") == R"({"x":1})");
  CHECK(json::raw_member(R"({"a":[{"a":[]}]})", "a") == R"([{"a":[]}])");
}

TEST_CASE("of duplicate keys the last counts, in the tree as in the text") {
  const std::string text = R"({"a":1,"b":0,"a":{"c":1,"c":2}})";
  CHECK(json::raw_member(text, "a") == R"({"c":1,"c":2})");
  const auto document = json::parse(text).value();
  REQUIRE(json::find(document, "a"));
  CHECK(json::get_int(*json::find(document, "a"), "c") == 2);
  CHECK(json::raw_member(R"({"a":1,"\u0061":2})", "a") == "2");
}

TEST_CASE("numbers are read exactly, at the ends of their ranges too") {
  for (const char* text : {"0e1", "-0e53", "0.000e-400", "0.0", "1e-400", "-1e-99999"})
    CHECK(json::parse(text).value().GetDouble() == 0);
  CHECK(json::parse("9223372036854775807").value().GetInt64() == INT64_MAX);
  CHECK(json::parse("-9223372036854775808").value().GetInt64() == INT64_MIN);
  CHECK(json::parse("18446744073709551615").value().GetUint64() == UINT64_MAX);
  CHECK_FALSE(json::parse("18446744073709551616").value().IsUint64());
  CHECK(json::parse("18446744073709551616").value().GetDouble() == 18446744073709551616.0);
  CHECK(json::parse("1.7976931348623157e308").value().GetDouble() == 1.7976931348623157e308);
  CHECK(json::parse("5e-324").value().GetDouble() == 5e-324);
  for (const char* text : {"1.8e308", "-123456789e308", "1e309"}) CHECK_FALSE(json::parse(text));
  std::mt19937_64 random(7);
  for (int i = 0; i < 5000; ++i) {
    const double value =
        std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 2000) - 1064);
    json::Writer w;
    w.number(value);
    REQUIRE((w.text() == "null" || json::parse(w.text()).value().GetDouble() == value));
  }
}

TEST_CASE("members are found by name and type") {
  const auto d =
      json::parse(R"({"s":"x","i":-5,"d":1.5,"b":true,"big":18446744073709551615})").value();
  CHECK(json::get_string(d, "s") == "x");
  CHECK(json::get_int(d, "i") == -5);
  CHECK(json::get_number(d, "d") == 1.5);
  CHECK(json::get_number(d, "i") == -5.0);
  CHECK(json::get_bool(d, "b") == true);
  CHECK_FALSE(json::get_int(d, "big"));
  CHECK_FALSE(json::get_int(d, "s"));
  CHECK_FALSE(json::get_string(d, "none"));
  CHECK_FALSE(json::find(*json::find(d, "s"), "x"));
  CHECK_FALSE(json::find(d, ""));
}

TEST_CASE("append_quoted makes valid JSON of any bytes") {
  CHECK(quoted("a\"\\\n\t\r\x01\x7f") == R"("a\"\\\n\t\r\u0001\u007f")");
  CHECK(quoted("\xe2\x82\xac") == "\"\xe2\x82\xac\"");
  CHECK(quoted("\xff") == "\"\xef\xbf\xbd\"");
  CHECK(quoted("\xe2\x82") == "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  CHECK(quoted(std::string_view("\0", 1)) == "\"\\u0000\"");
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes;
    for (auto n = random() % 12; n > 0; --n) bytes += static_cast<char>(random());
    REQUIRE(json::validate(quoted(bytes)));
  }
}

TEST_CASE("append_quoted keeps valid text") {
  const std::string text = "pl\xc3\xa4in \xf0\x9f\x98\x80 \"q\" \\ \b\f\x1f";
  CHECK(json::text_of(json::parse(quoted(text)).value()) == text);
}

TEST_CASE("Writer puts commas where they belong") {
  json::Writer w;
  w.begin_object()
      .field("a", 1)
      .key("b")
      .begin_array()
      .integer(1)
      .string("x")
      .begin_object()
      .end_object();
  w.end_array().field("c", true).key("d").raw("[1]").field_or_null("e", "").field("f", "s");
  w.key("g").begin_object().field("h", 0.1).end_object().end_object();
  CHECK(w.text() == R"({"a":1,"b":[1,"x",{}],"c":true,"d":[1],"e":null,"f":"s","g":{"h":0.1}})");
}

TEST_CASE("Writer writes numbers that read back, and null for what is none") {
  json::Writer w;
  w.begin_array().number(0.1).number(1e300).number(std::numeric_limits<double>::infinity());
  w.number(std::numeric_limits<double>::quiet_NaN()).integer(INT64_MIN).end_array();
  const auto d = json::parse(w.text()).value();
  CHECK(d[0].GetDouble() == 0.1);
  CHECK(d[1].GetDouble() == 1e300);
  CHECK(d[2].IsNull());
  CHECK(d[3].IsNull());
  CHECK(d[4].GetInt64() == INT64_MIN);
}

TEST_CASE("to_text is one line") {
  CHECK(json::to_text(json::parse(" { \"a\" : [ 1 , \"x\\n\" ] } ").value()) ==
        R"({"a":[1,"x\n"]})");
}
