// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "fabric/command.hpp"

namespace fabric::cmd {

// Prints what failed and says with which code to exit. `command`: nullptr when none was found.
int exit_code(const Error& error, const Command* command);

}  // namespace fabric::cmd
