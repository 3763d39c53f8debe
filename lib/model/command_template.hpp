// SPDX-License-Identifier: Apache-2.0
// Values of a task's payload in the arguments of its command. There is one placeholder,
// {payload.KEY[.KEY...]} with KEY of [A-Za-z0-9_-]; each further KEY goes one object deeper. Every
// other text is literal, braces included. No shell is involved: a value is inserted into its one
// argument as it is and can never make two of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fabric {

constexpr size_t k_max_arguments = 4096;
constexpr size_t k_max_argument = size_t{128}
                                  << 10;  // what Linux takes: MAX_ARG_STRLEN, NUL included

// A usage error when the command is empty, names no program, has a NUL character or a text that
// begins as a placeholder ("{payload.") but is none, or lets the payload choose the program.
Status check_command(const std::vector<std::string>& command);

// A string is inserted verbatim, any other value as the JSON text that the payload has for it.
// Fails (ErrorCode::usage) on a key that the payload lacks and on NUL characters.
// `payload_json` must have passed json::parse() or json::validate().
Result<std::vector<std::string>> expand_command(const std::vector<std::string>& command,
                                                std::string_view payload_json);

}  // namespace fabric
