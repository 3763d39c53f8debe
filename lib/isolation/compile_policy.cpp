// SPDX-License-Identifier: Apache-2.0
// Build tool: prints the default seccomp policy as the initialiser of a SeccompFilter.
#include <cstdio>

#include "isolation/seccomp_filter.hpp"

int main() {
  const auto filter = fabric::compile_seccomp_policy(fabric::default_seccomp_policy());
  if (!filter) {
    std::fprintf(stderr, "%s\n", filter.error().message.c_str());
    return 1;
  }
  for (const fabric::wire::Instruction& i : *filter)
    std::printf("{%u, %u, %u, %uU},\n", unsigned{i.code}, unsigned{i.jt}, unsigned{i.jf}, i.k);
  return 0;
}
