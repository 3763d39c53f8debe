// SPDX-License-Identifier: Apache-2.0
// What takes no new tasks for now. Running tasks go on.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric {

enum class PauseKind : uint8_t { workspace, priority, agent, share };
std::string_view to_string(PauseKind kind);

struct Pause {
  PauseKind kind = PauseKind::workspace;
  std::string name;  // of the priority, agent or share
  std::string user;
  WallTime since;
  [[nodiscard]] bool same_target(const Pause& other) const {
    return kind == other.kind && name == other.name;
  }
};
// "the workspace", "priority low", "agent coder"
std::string describe(const Pause& pause);

}  // namespace fabric
