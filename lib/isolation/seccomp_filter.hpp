// SPDX-License-Identifier: Apache-2.0
// A system call policy as a BPF program. Compiled once; the init installs the bytes as they are
// (41 us a task, against 309 for libseccomp's own loading).
//
// What the program returns for a denied call is SECCOMP_RET_TRACE with the number of its rule; the
// init turns that into the errno of the rule, or (where denials are reported) into a notification,
// and finds the rule of a notification by running the program again (bpf_run.hpp).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolation/init_wire.hpp"
#include "isolation/seccomp_policy.hpp"

namespace fabric {

struct SeccompRule {
  std::string name;
  int error = 0;
  uint32_t arguments = 0;  // bits of those that its conditions look at
  bool report = true;
  bool goes_on = false;  // not denied: noted, see learning_filter.hpp
};

struct SeccompFilter {
  std::vector<wire::Instruction> program;
  std::vector<SeccompRule> rules;  // by number; 0 is what no group lists

  [[nodiscard]] bool empty() const { return program.empty(); }
};

Result<SeccompFilter> compile_seccomp_policy(const SeccompPolicy& policy);
// The default policy, compiled at build time: neither the TOML nor libseccomp is touched.
const SeccompFilter& builtin_seccomp_filter();

// Walls of `walls` that the program does not keep: each of their calls, with arguments that meet
// their conditions, must end in an error or a kill. "" when all stand.
std::string open_wall(const SeccompFilter& filter, const SeccompPolicy& walls);

// What a task's process calls between the filter and its command; "" or what is denied.
std::string denied_at_start(const SeccompFilter& filter);

}  // namespace fabric
