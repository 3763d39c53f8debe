// SPDX-License-Identifier: Apache-2.0
#include "model/sandbox_options.hpp"

#include <algorithm>
#include <array>

#include "model/sandbox_rules.hpp"

namespace fabric {
namespace {

template <auto parse>
Status check(const std::string& rule) {
  auto parsed = parse(rule);
  if (!parsed) return fail(std::move(parsed).error());
  return {};
}

constexpr std::array<SandboxList, 8> k_lists{{
    {"ro", "--ro", "HOST[:INSIDE]", "A file or directory of the host that it may read.",
     &SandboxOptions::read_only, check<parse_path_rule>},
    {"rw", "--rw", "HOST[:INSIDE]", "A file or directory of the host that it may change.",
     &SandboxOptions::read_write, check<parse_path_rule>},
    {"hide", "--hide", "PATH",
     "A path inside of which nothing is to be seen, also when it appears later; * and ** match.",
     &SandboxOptions::hidden, check<parse_inside_path>},
    {"no_write", "--no-write", "PATH",
     "A path inside that cannot be made, changed or removed, in what it may change otherwise.",
     &SandboxOptions::no_write, check<parse_inside_path>},
    {"egress", "--egress", "RULE",
     "Where it may connect to: NAME, *.NAME, an address, a CIDR or *, with :PORT if not 80 and "
     "443.",
     &SandboxOptions::egress, check<parse_egress_rule>},
    {"publish", "--publish", "HOST_PORT:INSIDE_PORT",
     "A port on which it listens, for the host to connect to.", &SandboxOptions::publish,
     check<parse_publish_rule>},
    {"secrets", "--secret", "NAME=SOURCE",
     "A secret from file:PATH or env:VARIABLE, inside as the file /run/secrets/NAME, or with "
     ",env=VARIABLE as a variable.",
     &SandboxOptions::secrets, check<parse_secret_rule>},
    {"inject", "--inject", "NAME=HOST,secret=SECRET",
     "A host that it reaches as http://NAME.inject/, with the secret put in outside the sandbox.",
     &SandboxOptions::inject, check<parse_inject_rule>},
}};

constexpr size_t k_most_rules = 1024;  // of one list

Status check_path_text(std::string_view what, const std::string& path) {
  if (path.empty() || path == "/") return {};
  const Result<PathRule> rule = parse_path_rule(path);
  if (rule && rule->host == path) return {};
  return fail(ErrorCode::usage, "invalid " + std::string(what), "write an absolute path");
}

// "default+other-processes": whether there is such a group, only the policy itself can tell.
Status check_policy_text(const std::string& text) {
  if (text.starts_with('/'))
    return check_path_text("system call policy", text.substr(0, text.find('+', text.rfind('/'))));
  const std::string name = text.substr(0, text.find('+'));
  const bool known = name == "default" || name == "strict" || name == "permissive";
  if (known && !text.ends_with('+') && text.find("++") == std::string::npos) return {};
  return fail(ErrorCode::usage, "invalid system call policy",
              "write default, strict, permissive, or the absolute path of a file; and +GROUP for "
              "what it is to let through, for example default+other-processes");
}

}  // namespace

std::span<const SandboxList> sandbox_lists() { return k_lists; }

Status check_sandbox_options(const SandboxOptions& options) {
  for (const SandboxList& list : k_lists) {
    const std::vector<std::string>& rules = options.*list.member;
    if (rules.size() > k_most_rules)
      return fail(ErrorCode::usage, "more than " + std::to_string(k_most_rules) + " rules in " +
                                        std::string(list.key));
    for (const std::string& rule : rules) TRY_STATUS(list.check(rule));
  }
  TRY_STATUS(check_path_text("root", options.root));
  TRY_STATUS(check_path_text("work directory", options.work));
  return check_policy_text(options.seccomp);
}

}  // namespace fabric
