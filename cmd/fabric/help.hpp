// SPDX-License-Identifier: Apache-2.0
// Help, from the command table.
#pragma once

#include <string>

#include "fabric/command.hpp"

namespace fabric::cmd {

std::string version_line();   // "fabric 0.1.0\n"
std::string help_overview();  // every command, by group
std::string help_for(const Command& command);

// "spawn ID [OPTIONS] [-- COMMAND...]"
std::string usage_line(const Command& command);
// "--model M", "-C, --directory DIR", "--json[=FIELD,...]"
std::string option_title(const Option& option);
std::string_view group_title(Group group);

}  // namespace fabric::cmd
