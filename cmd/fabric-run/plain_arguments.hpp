// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

#include "fabric/arguments.hpp"

namespace fabric::cmd {

// The words of `fabric sandbox run` that need no more than this program has: options that it can
// serve, each written plainly and with a value, then "--" and a command. nullopt: fabric itself has
// to look at them, be it to say what is wrong with them.
std::optional<Arguments> plain_arguments(const Command& command, std::span<char* const> words);

}  // namespace fabric::cmd
