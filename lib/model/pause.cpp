// SPDX-License-Identifier: Apache-2.0
#include "model/pause.hpp"

#include <array>

namespace fabric {
namespace {
constexpr std::array<std::string_view, 4> k_kinds{"workspace", "priority", "agent", "share"};
}

std::string_view to_string(PauseKind kind) { return k_kinds[static_cast<size_t>(kind)]; }

std::string describe(const Pause& pause) {
  if (pause.kind == PauseKind::workspace) return "the workspace";
  return std::string(to_string(pause.kind)) + " " + pause.name;
}

}  // namespace fabric
