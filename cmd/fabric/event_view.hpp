// SPDX-License-Identifier: Apache-2.0
// Events as people and programs see them.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "fabric/output.hpp"
#include "fabric/terminal.hpp"
#include "model/event.hpp"

namespace fabric::cmd {

JsonShape event_shape();
std::string event_json(const JsonChoice& choice, const Event& event);
// "12:03:11  task.started  t1 on coder", without a line feed; printable.
std::string event_line(const Event& event, WallTime now);
Colour colour_of(EventKind kind);

}  // namespace fabric::cmd
