// SPDX-License-Identifier: Apache-2.0
// Command line to Arguments, for one command. The only user of CLI11.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "fabric/arguments.hpp"

namespace fabric::cmd {

// `words` is what followed the command's name. Checks everything that the table says: known
// options, values present and given once, choices, number of positionals, tail. Not checked when
// --help was given. Errors are ErrorCode::usage.
Result<Arguments> parse_arguments(const Command& command, std::vector<std::string> words);

}  // namespace fabric::cmd
