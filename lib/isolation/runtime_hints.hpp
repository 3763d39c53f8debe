// SPDX-License-Identifier: Apache-2.0
// Variables for run-time systems that take as much memory as the machine has: they look for a
// cgroup to know better, and of those nothing is to be seen in a sandbox.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/limits.hpp"

namespace fabric {

// The variables of an agent, or of --env, win over these.
std::vector<std::pair<std::string, std::string>> runtime_hints(const Limits& limits);

}  // namespace fabric
