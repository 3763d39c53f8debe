// SPDX-License-Identifier: Apache-2.0
// The two forms of a line of the log, without its line break.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "telemetry/log.hpp"

namespace fabric::log {

std::string json_line(WallTime now, Level level, std::string_view message, Fields fields);
enum class Colour : bool { no, yes };
// Control characters are escaped, so that no value can drive the terminal.
std::string text_line(WallTime now, Level level, std::string_view message, Fields fields,
                      Colour colour);

}  // namespace fabric::log
