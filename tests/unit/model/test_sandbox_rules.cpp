// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "model/sandbox_options.hpp"
#include "model/sandbox_rules.hpp"

using namespace fabric;

TEST_CASE("rules: paths are absolute and normal") {
  CHECK(parse_path_rule("/usr")->inside == "/usr");
  CHECK(parse_path_rule("/data/x:/work/x")->host == "/data/x");
  CHECK(parse_path_rule("/data/x:/work/x")->inside == "/work/x");
  CHECK(parse_path_rule("/:/host")->host == "/");
  for (const char* bad : {"", "usr", "/", "/a/", "/a//b", "/a/../b", "/a/./b", "/a/..",
                          "/a:", ":/a", "/a:b", "/a:/b:/c", "/a\n/b", "/a:/"})
    CHECK_FALSE(parse_path_rule(bad));
  CHECK(parse_inside_path("/work/**/*.pem"));
  CHECK_FALSE(parse_inside_path("work"));
}

TEST_CASE("rules: host names are normal") {
  CHECK(normal_host_name("API.Example.COM.").value() == "api.example.com");
  CHECK(normal_host_name("xn--bcher-kva.example").value() == "xn--bcher-kva.example");
  CHECK(normal_host_name("_dns.example").has_value());
  for (const char* bad : {"", ".", "..", "a..b", ".a", "-a", "a-", "a-.b", "a b", "a@b", "a/b",
                          "b\xc3\xbc.de", "a%00b", "a:b"})
    CHECK_FALSE(normal_host_name(bad));
  CHECK_FALSE(normal_host_name(std::string(64, 'a')));
  CHECK(normal_host_name(std::string(63, 'a')));
  CHECK_FALSE(normal_host_name(std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                               std::string(63, 'c') + "." + std::string(63, 'd')));
}

TEST_CASE("rules: egress") {
  const auto name = parse_egress_rule("API.example.com.").value();
  CHECK(name.kind == EgressRule::Kind::name);
  CHECK(name.name == "api.example.com");
  CHECK(name.ports == std::vector<uint16_t>{80, 443});
  CHECK_FALSE(name.any_port);
  const auto sub = parse_egress_rule("*.example.com:8443,22").value();
  CHECK(sub.kind == EgressRule::Kind::subdomains);
  CHECK(sub.name == "example.com");
  CHECK(sub.ports == std::vector<uint16_t>{8443, 22});
  const auto net = parse_egress_rule("10.1.0.0/16:*").value();
  CHECK(net.kind == EgressRule::Kind::network);
  CHECK(net.prefix == 112);
  CHECK(net.any_port);
  CHECK(net.network[12] == 10);
  CHECK(parse_egress_rule("[2001:db8::/32]:443").value().prefix == 32);
  CHECK(parse_egress_rule("::1").value().kind == EgressRule::Kind::network);
  CHECK(parse_egress_rule("*").value().kind == EgressRule::Kind::everything);
  const auto refused = parse_egress_rule("!evil.example").value();
  CHECK(refused.refuse);
  CHECK(refused.any_port);
  CHECK(parse_egress_rule("db.local:5432+private").value().private_too);
  for (const char* bad :
       {"",      "!",      "a b",        "a:0",       "a:65536",     "a:",          "a:80,",
        "*.",    "**",     "*.*",        "a*b",       "10.1.2.3/16", "10.0.0.0/33", "1.2.3",
        "127.1", "0x7f.1", "2130706433", "user@host", "host/path",   "http://host", "a:80+public",
        "[::1",  "a\nb"})
    CHECK_FALSE(parse_egress_rule(bad));
}

TEST_CASE("rules: published ports, secrets, injection") {
  CHECK(parse_publish_rule("8080:80").value().address == "127.0.0.1");
  CHECK(parse_publish_rule("0.0.0.0:8080:80").value().host_port == 8080);
  CHECK(parse_publish_rule("[::1]:8080:80").value().address == "::1");
  for (const char* bad :
       {"", "80", "80:", ":80", "a:80:80", "0:80", "80:0", "70000:1", "1.2.3:1:1"})
    CHECK_FALSE(parse_publish_rule(bad));

  CHECK(parse_secret_rule("key=file:/etc/key").value().file == "/run/secrets/key");
  CHECK(parse_secret_rule("key=env:TOKEN,env=API_KEY").value().variable == "API_KEY");
  CHECK(parse_secret_rule("key=env:TOKEN,env=API_KEY").value().file.empty());
  for (const char* bad :
       {"", "key", "key=", "key=TOKEN", "key=file:etc", "key=env:1A", "key=env:A,x=y", "key=env:A,",
        "../k=env:A", "key=env:A,env=A-B", "key=file:/a/../b"})
    CHECK_FALSE(parse_secret_rule(bad));

  const auto inject = parse_inject_rule("openai=api.openai.com,secret=key").value();
  CHECK(inject.host == "api.openai.com");
  CHECK(inject.header == "Authorization");
  CHECK(inject.prefix == "Bearer ");
  CHECK(parse_inject_rule("a=h:8443,secret=k,header=X-Api-Key,prefix=").value().prefix.empty());
  for (const char* bad : {"", "a", "a=h", "a=,secret=k", "a.b=h,secret=k", "a=h:0,secret=k",
                          "a=h,secret=k,x=y", "a=h,secret=k,header=A:B", "A=h,secret=k"})
    CHECK_FALSE(parse_inject_rule(bad));
}

TEST_CASE("rules: options are checked as a whole") {
  SandboxOptions options;
  CHECK(check_sandbox_options(options));
  options.seccomp = "lax";
  CHECK_FALSE(check_sandbox_options(options));
  options.seccomp = "/etc/policy.toml";
  CHECK(check_sandbox_options(options));
  options.egress = {"not a rule"};
  CHECK_FALSE(check_sandbox_options(options));
  options.egress.assign(1025, "a.example");
  CHECK_FALSE(check_sandbox_options(options));
  options.egress.clear();
  options.root = "relative";
  CHECK_FALSE(check_sandbox_options(options));
}
