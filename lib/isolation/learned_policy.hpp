// SPDX-License-Identifier: Apache-2.0
// What a sandbox turned out to need, and the file that says so: TOML as agent.toml has it, which is
// also read again, so that what further runs need is added.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "isolation/init_connection.hpp"
#include "model/sandbox_options.hpp"

namespace fabric {

struct LearnedPolicy {
  uint64_t runs = 0;
  // Paths inside.
  std::set<std::string> read;     // files, also executed ones, and directories whose list was read
  std::set<std::string> changed;  // directories in which something was to be changed
  std::set<std::string> not_given;  // wanted, but too much or too secret to be given by itself
  std::set<std::string> egress;     // rules
  std::set<std::string> calls;      // beyond the strict policy
  bool operator==(const LearnedPolicy&) const = default;
};

void learn(LearnedPolicy& policy, const LearnedUse& use);
// "NAME:PORT", with "+private" where the address was not public; false: nothing new.
bool learn_host(LearnedPolicy& policy, std::string_view host, int64_t port, bool is_private);

// With `options`, which may have HOST:INSIDE rules, for the paths of the host. Directories stand
// for eight or more of what is in them. `command`: of the agent, if any.
Result<std::string> learned_toml(const LearnedPolicy& policy, const SandboxOptions& options,
                                 const std::vector<std::string>& command = {});
Result<LearnedPolicy> read_learned(std::string_view toml);

}  // namespace fabric
