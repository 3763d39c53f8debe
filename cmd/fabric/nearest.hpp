// SPDX-License-Identifier: Apache-2.0
// The known name that a mistyped one was probably meant to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fabric::cmd {

// "" when nothing is near enough to be a help.
std::string nearest_name(std::string_view typed, const std::vector<std::string_view>& known);

}  // namespace fabric::cmd
