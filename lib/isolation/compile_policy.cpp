// SPDX-License-Identifier: Apache-2.0
// Build tool: prints the default seccomp policy as the initialiser of a SeccompFilter.
#include <cstdio>

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

}  // namespace

int main() {
  const auto filter = compile();
  if (!filter) {
    std::fprintf(stderr, "%s\n", filter.error().message.c_str());
    return 1;
  }
  std::puts("{");
  for (const wire::Instruction& i : filter->program)
    std::printf("{%u, %u, %u, %uU},\n", unsigned{i.code}, unsigned{i.jt}, unsigned{i.jf}, i.k);
  std::puts("},\n{");
  // Names have no quotes and no backslashes (seccomp_policy.cpp).
  for (const SeccompRule& rule : filter->rules)
    std::printf("{\"%s\", %d, %uU, %s},\n", rule.name.c_str(), rule.error, rule.arguments,
                rule.report ? "true" : "false");
  std::puts("},");
  return 0;
}
