// SPDX-License-Identifier: Apache-2.0
// What this machine cannot do: refused, or with the option `degrade` left out and written down, so
// that whoever looks at the sandbox sees it.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolation/isolation_manager.hpp"

namespace fabric {

// Landlock of an older version forbids every rename across directories, so it is not used.
constexpr int k_least_landlock = 2;

// unavailable, with cause and what mends it; when `spec` allows it, `what` goes into `degraded`.
Status weaken(const SandboxSpec& spec, std::vector<std::string>& degraded, const std::string& what,
              const std::string& cause, const std::string& mend);
// `spec` with what can be enforced here. Everything else is refused or in `degraded`.
Result<SandboxSpec> within_means(const SandboxSpec& spec, const HostFeatures& features,
                                 std::vector<std::string>& degraded);

}  // namespace fabric
