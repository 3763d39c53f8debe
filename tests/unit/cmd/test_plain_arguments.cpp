// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "fabric-run/plain_arguments.hpp"
#include "fabric/commands.hpp"

using namespace fabric::cmd;

namespace {

std::optional<Arguments> read(std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  return plain_arguments(k_sandbox_run_command, pointers);
}

}  // namespace

TEST_CASE("plain arguments: what fabric-run serves by itself") {
  const auto all = read({"--memory", "64M", "--env=A=b c", "--env", "D", "--die-with-parent",
                         "--isolation=none", "--", "sh", "--", "--memory"});
  REQUIRE(all);
  CHECK(all->value("--memory") == "64M");
  CHECK(all->values("--env") == std::vector<std::string>{"A=b c", "D"});
  CHECK(all->has("--die-with-parent"));
  CHECK(all->value("--isolation") == "none");
  CHECK(all->tail() == std::vector<std::string>{"sh", "--", "--memory"});
  CHECK(read({"--", "true"}));
}

TEST_CASE("plain arguments: all else is left to fabric") {
  const std::vector<std::vector<std::string>> others{
      {},
      {"--"},
      {"true"},
      {"--memory"},
      {"--memory", "--", "true"},
      {"--memory=", "--", "true"},
      {"--memory", "-1", "--", "true"},
      {"--memory", "1G", "--memory", "2G", "--", "true"},
      {"--mem", "1G", "--", "true"},
      {"--die-with-parent=yes", "--", "true"},
      {"--isolation", "container", "--", "true"},
      {"--seccomp", "strict", "--", "true"},
      {"--egress", "example.org", "--", "true"},
      {"--publish", "80:80", "--", "true"},
      {"--root", "/x", "--", "true"},
      {"--disk", "1G", "--", "true"},
      {"--help"},
      {"-h", "--", "true"},
      {"--work", "a", "b", "--", "true"},
  };
  for (const auto& words : others) {
    CAPTURE(words);
    CHECK_FALSE(read(words));
  }
}
