// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/toml_depth.hpp"
#include "config/toml_tree.hpp"

using namespace fabric::config;

TEST_CASE("a tree keeps types, order and places") {
  const Node root = parse_toml("z = 1\na = [\"x\", 2.5]\n[t.u]\nb = true\n").value();
  REQUIRE(root.children.size() == 3);
  CHECK(root.children[0].key == "z");
  CHECK(root.children[0].integer == 1);
  CHECK(root.children[1].type == Node::Type::array);
  CHECK(root.children[1].children[1].number == 2.5);
  CHECK(root.children[1].children[1].at.column == 11);
  const Node& b = root.children[2].children[0].children[0];
  CHECK(b.key == "b");
  CHECK(b.boolean);
  CHECK(b.key_at.line == 4);
  CHECK(b.at.column == 5);
}

TEST_CASE("deep nesting is refused, not followed") {
  const size_t n = 200000;
  std::string dots = "a";
  for (size_t i = 0; i < n; ++i) dots += ".a";
  for (const std::string& text :
       {"[" + dots + "]", "[[" + dots + "]]", dots + " = 1", "x = {" + dots + " = 1}",
        "x = " + std::string(n, '['), "x = [" + std::string(n, '{'),
        "\"q\" . 'r' . " + dots + " = 1", "s = \"\"\"a\\\"\"\"\"\"\n" + dots + " = 1"}) {
    INFO(text.substr(0, 30));
    CHECK_FALSE(parse_toml(text));
  }
  CHECK(parse_toml("[" + dots + "]").error().message == "a key has more than 32 parts");
}

TEST_CASE("dots that are not in keys do not count") {
  std::string dots(500, '.');
  CHECK(parse_toml("a = \"" + dots + "\"\nb = '" + dots + "'\n# " + dots + "\n"));
  CHECK(parse_toml("a = \"\"\"\n" + dots + "\\\"\n\"\"\"\nb = '''" + dots + "'''\n"));
  std::string numbers = "a = [";
  for (int i = 0; i < 500; ++i) numbers += "1.5, ";
  CHECK(parse_toml(numbers + "]"));
  std::string lines;
  for (int i = 0; i < 500; ++i) lines += "a.b.k" + std::to_string(i) + " = 1.5\n";
  CHECK(parse_toml(lines));
}

TEST_CASE("letters beyond ASCII are refused outside of text, and kept within") {
  for (const char* letter :
       {"\xc3\xa4", "\xd2\x80", "\xe3\x81\x82", "\xef\xae\xaf", "\xf0\x9f\x98\x80"}) {
    CHECK_FALSE(parse_toml(std::string("a ") + letter + "= 1"));
    CHECK_FALSE(parse_toml(std::string("[a") + letter + "]"));
    CHECK_FALSE(parse_toml(std::string("a = 1") + letter));
    const std::string text = std::string("a = \"\"\"\\\n ") + letter + "\"\"\"";
    CHECK(parse_toml(text).value().children[0].text == letter);
  }
}

TEST_CASE("text that toml++ promises itself never to see is refused") {
  for (const char* text : {"[=a =s", "[]", "[[]]", "[.a]", "[a.]", "=", ".", "a.=1", "a.b", "[a"})
    CHECK_FALSE(parse_toml(text));
}
