// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>

#include "isolation/apt_plan.hpp"
#include "isolation/runtime_hints.hpp"

using namespace fabric;

TEST_CASE("passwords are taken out of URLs, and nothing else") {
  auto out = [](const char* text) { return without_credentials(text); };
  CHECK(out("deb https://me:s3cret@deb.corp/debian x main\n") ==
        "deb https://deb.corp/debian x main\n");
  CHECK(out("deb [signed-by=/k] http://me@deb.corp x\ndeb http://a:b@c/ y\n") ==
        "deb [signed-by=/k] http://deb.corp x\ndeb http://c/ y\n");
  CHECK(out("Acquire::http::Proxy \"http://me:p@ss@proxy:3128\";\n") ==
        "Acquire::http::Proxy \"http://proxy:3128\";\n");
  CHECK(out("deb http://deb.corp/path@with/at x\n") == "deb http://deb.corp/path@with/at x\n");
  CHECK(out("mail me@corp, see file:///etc\n") == "mail me@corp, see file:///etc\n");
  CHECK(out("http://me:x@") == "http://");
  CHECK(out("://") == "://");
  CHECK(out("").empty());
}

TEST_CASE("what apt finds has nothing of auth.conf, and fits into a spec") {
  MountPlan plan;
  add_apt(plan);
  size_t bytes = 0;
  for (const MountStep& step : plan) {
    CHECK(step.target.find("auth.conf") == std::string::npos);
    if (step.kind == wire::k_text_file) bytes += step.source.size();
  }
  CHECK(bytes <= 24576);
}

TEST_CASE("a JVM is told the limit, where there is one") {
  Limits limits;
  limits.memory_bytes = 0;
  CHECK(runtime_hints(limits).empty());
  limits.memory_bytes = uint64_t{1} << 30;
  const auto hints = runtime_hints(limits);
  REQUIRE(hints.size() == 1);
  CHECK(hints[0].second == "-XX:MaxRAM=1073741824");
}
