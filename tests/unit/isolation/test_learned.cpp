// SPDX-License-Identifier: Apache-2.0
// What is made of uses that were noted, and the filter that notes them.
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include "isolation/bpf_run.hpp"
#include "isolation/learned_policy.hpp"
#include "isolation/learning_filter.hpp"
#include "isolation/seccomp_policies.hpp"

using namespace fabric;

namespace {

LearnedUse used(uint32_t kind, const std::string& path) { return {1, kind, 0, path}; }

std::string toml_of(const LearnedPolicy& policy, const SandboxOptions& options = {}) {
  auto text = learned_toml(policy, options);
  REQUIRE(text);
  return *text;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

uint32_t result_of(const SeccompFilter& filter, long number, std::array<uint64_t, 6> arguments = {},
                   uint32_t architecture = AUDIT_ARCH_X86_64) {
  SystemCall call{};
  call.number = static_cast<int32_t>(number);
  call.architecture = architecture;
  std::copy(arguments.begin(), arguments.end(), call.arguments);
  return run_bpf(filter.program.data(), filter.program.size(), call);
}

bool noted(const SeccompFilter& filter, long number, std::array<uint64_t, 6> arguments = {}) {
  const uint32_t result = result_of(filter, number, arguments);
  return (result & 0xffff0000) == SECCOMP_RET_TRACE && filter.rules.at(result & 0xffff).goes_on;
}

}  // namespace

TEST_CASE("few files are given one by one, eight of a directory as the directory") {
  LearnedPolicy policy;
  for (int i = 0; i < 7; ++i)
    learn(policy, used(wire::k_learned_read, "/srv/data/" + std::to_string(i)));
  CHECK(has(toml_of(policy), "\"/srv/data/6\","));
  CHECK_FALSE(has(toml_of(policy), "\"/srv/data\","));
  learn(policy, used(wire::k_learned_execute, "/srv/data/7"));
  CHECK(has(toml_of(policy), "ro = [\n  \"/srv/data\",\n]"));
}

TEST_CASE("what is used never gives a top directory or a home directory") {
  LearnedPolicy policy;
  for (int i = 0; i < 20; ++i) {
    learn(policy, used(wire::k_learned_read, "/srv/" + std::to_string(i)));
    learn(policy, used(wire::k_learned_read, "/home/ann/" + std::to_string(i)));
  }
  for (const char* path : {"/", "/srv", "/home/ann", "/root"})
    learn(policy, used(wire::k_learned_list, path));
  learn(policy, used(wire::k_learned_write, "/no-such-directory/x"));
  const std::string text = toml_of(policy);
  for (const char* path : {"/", "/srv", "/home/ann", "/root"}) {
    CHECK_FALSE(has(text, "\"" + std::string(path) + "\","));
    CHECK(has(text, "# not given: " + std::string(path) + "\n"));
  }
  CHECK(has(text, "# not given: /no-such-directory/x (to change it)\n"));
  CHECK(has(text, "\"/srv/19\","));
}

TEST_CASE("more than a sandbox can be given is brought together") {
  LearnedPolicy policy;
  for (int i = 0; i < 60; ++i)
    for (const char* name : {"a", "b"})
      learn(policy,
            used(wire::k_learned_read, "/srv/d/" + std::to_string(i) + "/" + std::string(name)));
  const auto again = read_learned(toml_of(policy));
  REQUIRE(again);
  CHECK(again->read.size() <= 48);
}

TEST_CASE("what was learned is read again, and does not change by that") {
  LearnedPolicy policy;
  policy.runs = 3;
  learn(policy, used(wire::k_learned_read, "/srv/a \"quoted\" \\ name"));
  learn(policy, used(wire::k_learned_read, "/srv/a\nline"));
  learn(policy, used(wire::k_learned_read, "/srv/a:colon"));  // no rule can say it
  learn(policy, used(wire::k_learned_read, "/srv/\xff"));
  learn(policy, used(wire::k_learned_withheld, "/home/ann/.ssh/id"));
  learn(policy, {1, wire::k_learned_call, SYS_personality, ""});
  CHECK(learn_host(policy, "api.example.com", 443, false));
  CHECK_FALSE(learn_host(policy, "api.example.com", 443, false));
  CHECK(learn_host(policy, "db.example.com", 5432, true));
  CHECK(learn_host(policy, "2001:db8::1", 443, true));
  CHECK_FALSE(learn_host(policy, "no name", 443, false));
  const std::string text = toml_of(policy);
  CHECK(text.starts_with("# learned from 3 runs;"));
  CHECK(has(text, "\"db.example.com:5432+private\","));
  CHECK(has(text, "\"[2001:db8::1]:443\","));
  CHECK(has(text, "# not given: /srv/a:colon\n"));
  CHECK(has(text, "seccomp = \"strict+personality\"\n"));
  const auto again = read_learned(text);
  REQUIRE(again);
  CHECK(again->runs == 3);
  CHECK(again->egress == policy.egress);
  CHECK(again->calls == policy.calls);
  CHECK(toml_of(*again) == text);
  CHECK_FALSE(read_learned("ro = ["));
  const auto with_command = learned_toml(policy, {}, {"sh", "-c", "echo \"1\"\n"});
  REQUIRE(with_command);
  CHECK(has(*with_command, "\ncommand = [\"sh\", \"-c\", \"echo \\\"1\\\"\\n\"]\n"));
  CHECK(read_learned(*with_command));
}

TEST_CASE("paths of rules that show something elsewhere become such rules") {
  LearnedPolicy policy;
  SandboxOptions options;
  options.read_only = {"/srv/host:/data"};
  learn(policy, used(wire::k_learned_read, "/data/x"));
  const std::string text = toml_of(policy, options);
  CHECK(has(text, "\"/srv/host/x:/data/x\","));
  const auto again = read_learned(text);
  REQUIRE(again);
  CHECK(again->read == policy.read);
}

TEST_CASE("calls with walls in them are not let through alone") {
  std::string why;
  const auto simple = policy_for_calls({"personality", "ptrace"}, why);
  REQUIRE(simple);
  CHECK(*simple == "strict+personality+other-processes");
  CHECK(why.empty());
  const auto walled = policy_for_calls({"personality", "ioctl", "ptrace"}, why);
  REQUIRE(walled);
  CHECK(walled->starts_with("default+"));
  CHECK(why == "ioctl");
  SeccompPolicies policies;
  CHECK(policies.get(*simple));
  CHECK(policies.get(*walled));
}

TEST_CASE("while it learns every wall is shut, and nothing else") {
  const auto made = make_learning_filter();
  REQUIRE(made);
  const SeccompFilter& filter = *made;
  const auto walls = built_in_seccomp_policy("default");
  REQUIRE(walls);
  for (const SeccompGroup& group : walls->groups) {
    if (!group.wall) continue;
    for (const int number : group.calls)
      for (const auto& conditions : group.alternatives) {
        std::array<uint64_t, 6> arguments{};
        for (const SeccompCondition& c : conditions)
          arguments[c.argument] = c.op == SeccompCondition::Op::equal ? c.value : c.value + 1;
        INFO(group.name << ": call " << number);
        CHECK(result_of(filter, number, arguments) != SECCOMP_RET_ALLOW);
        CHECK_FALSE(noted(filter, number, arguments));
      }
  }
  CHECK(result_of(filter, SYS_read) == SECCOMP_RET_ALLOW);
  CHECK(result_of(filter, SYS_futex) == SECCOMP_RET_ALLOW);
  CHECK(result_of(filter, SYS_read, {}, AUDIT_ARCH_I386) == SECCOMP_RET_KILL_PROCESS);
  CHECK(noted(filter, SYS_openat));
  CHECK(noted(filter, SYS_execve));
  CHECK(noted(filter, SYS_personality, {0xffffffff}));
  CHECK(noted(filter, SYS_ptrace));
}
