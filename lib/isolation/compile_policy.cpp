// SPDX-License-Identifier: Apache-2.0
// Build tool: prints the program of the default seccomp policy, or with "rules" what its results
// mean, as initialisers of C.
#include <cstdio>
#include <string_view>

#include "isolation/seccomp_built_in.hpp"
#include "isolation/seccomp_filter.hpp"

namespace {

using namespace fabric;

Result<SeccompFilter> compile() {
  const SeccompPolicy policy = TRY(parse_seccomp_policy(k_default_seccomp_policy, {}));
  SeccompFilter filter = TRY(compile_seccomp_policy(policy));
  if (const std::string open = open_wall(filter, policy); !open.empty())
    return fail(ErrorCode::failed, "a wall is open (" + open + ")");
  if (const std::string denied = denied_at_start(filter); !denied.empty())
    return fail(ErrorCode::failed, denied + " is denied, without which no command starts");
  return filter;
}

void print_rules(const SeccompFilter& filter) {
  // Names have no quotes and no backslashes (seccomp_policy.cpp).
  for (const SeccompRule& rule : filter.rules)
    std::printf("{\"%s\", %d, %uU, %s},\n", rule.name.c_str(), rule.error, rule.arguments,
                rule.report ? "true" : "false");
}

void print_program(const SeccompFilter& filter) {
  for (const wire::Instruction& i : filter.program)
    std::printf("{%u, %u, %u, %uU},\n", unsigned{i.code}, unsigned{i.jt}, unsigned{i.jf}, i.k);
}

}  // namespace

int main(int argc, char** argv) {
  const auto filter = compile();
  if (!filter) {
    std::fprintf(stderr, "%s\n", filter.error().message.c_str());
    return 1;
  }
  const bool rules = argc > 1 && argv[1] == std::string_view("rules");
  rules ? print_rules(*filter) : print_program(*filter);
  return 0;
}
