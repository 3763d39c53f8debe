// SPDX-License-Identifier: Apache-2.0
// What a failed program's last words say about the sandbox. A file or host that is simply not there
// leaves no record anywhere in the kernel, so the message of the program is all there is: a hint,
// which the agent may have made up.
#pragma once

#include <optional>
#include <string_view>

#include "model/violation.hpp"

namespace fabric {

// `tail`: the end of standard error. The last line that says something is taken.
std::optional<Violation> hint_in(std::string_view tail);

}  // namespace fabric
