// SPDX-License-Identifier: Apache-2.0
// The filter of a sandbox that is learned: walls are denied as ever, what the strict policy allows
// goes its way, and for all other calls, and those that name a file, the init is asked. It notes
// them and lets them go on.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolation/seccomp_filter.hpp"

namespace fabric {

Result<SeccompFilter> make_learning_filter();

// The narrowest built-in policy, as isolation.seccomp takes it, with which these calls succeed:
// "strict" with those calls, or, where calls cannot be let through one by one because of the walls
// in them, "default" or "permissive"; `why` says then which.
Result<std::string> policy_for_calls(const std::vector<std::string>& calls, std::string& why);

}  // namespace fabric
