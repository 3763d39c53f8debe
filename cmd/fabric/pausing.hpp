// SPDX-License-Identifier: Apache-2.0
// What pause and resume share: which of the four is meant, and the answer.
#pragma once

#include "base/result.hpp"
#include "fabric/arguments.hpp"
#include "fabric/json_field.hpp"
#include "model/pause.hpp"

namespace fabric::cmd {

inline constexpr Positional k_pause_positionals[] = {
    {"AGENT", "The agent that is meant.", Complete::agent, {}, false}};
inline constexpr Option k_pause_options[] = {
    {"--priority", "", "P", "All tasks of this priority are meant.", Takes::value,
     Complete::nothing, "critical|high|normal|low"},
    {"--share", "", "S", "All tasks of this share group are meant."},
    {"--all", "", "", "The whole workspace is meant.", Takes::nothing},
    {"--dry-run", "", "", "Check everything and change nothing.", Takes::nothing}};

JsonShape pause_shape();

// Pauses (`on`) or resumes what the arguments name, and says so.
Result<int> run_pausing(const Arguments& arguments, bool on);

}  // namespace fabric::cmd
