// SPDX-License-Identifier: Apache-2.0
// Options that mean the same in every command that has them.
#pragma once

#include <array>

#include "fabric/command.hpp"

namespace fabric::cmd {

inline constexpr Option k_help{"--help", "-h", "", "Show this help.", Takes::nothing};
inline constexpr Option k_directory{
    "--directory",
    "-C",
    "DIR",
    "Work in the workspace that holds DIR, instead of that of the current directory.",
    Takes::value,
    Complete::directory};
inline constexpr Option k_json{"--json", "", "FIELD,...",
                               "Answer in JSON, with all fields or only those named.",
                               Takes::optional_value};
inline constexpr Option k_dry_run{"--dry-run", "", "", "Check everything and change nothing.",
                                  Takes::nothing};
inline constexpr Option k_wait_timeout{"--timeout", "", "DURATION",
                                       "Give up after this long (exit code 8), for example 30s.",
                                       Takes::value};

// Every option of a command: its own, then the common ones it has.
template <class Visit>
void for_each_option(const Command& command, Visit visit) {
  for (const Option& option : command.options) visit(option);
  if (command.json) visit(k_json);
  if (command.in_workspace) visit(k_directory);
  visit(k_help);
}

}  // namespace fabric::cmd
