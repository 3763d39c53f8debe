// SPDX-License-Identifier: Apache-2.0
// What this process gives up before it reads a byte of an agent: it holds other people's
// connections and secrets, and parses what hostile programs say.
#pragma once

#include <string>

#include "base/result.hpp"
#include "options.hpp"

namespace fabric::egress {

// Before any thread exists: identity, capabilities, files (Landlock, where the kernel has it).
Status give_up_rights(const ProgramOptions& options);
// After the last thread was made: all system calls but those on a list, in all threads.
Status give_up_calls();

}  // namespace fabric::egress
