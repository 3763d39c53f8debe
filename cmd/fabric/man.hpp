// SPDX-License-Identifier: Apache-2.0
// Manual pages in mdoc(7), from the command table. man/ holds them as generated; a test compares.
#pragma once

#include <string>

#include "base/result.hpp"

namespace fabric::cmd {

// "" is fabric(1), else that of a command; "--list" gives the names of all pages' commands.
Result<std::string> manual_page(const std::string& command);

}  // namespace fabric::cmd
