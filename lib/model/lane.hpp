// SPDX-License-Identifier: Apache-2.0
// Where a task queues. A queue belongs to one agent, or to a route: tasks for whichever agent has
// what they require.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/priority.hpp"

namespace fabric {

using QueueNumber = uint32_t;
using ShareNumber = uint32_t;

// A first-in-first-out sequence of ready tasks. `slot_class` numbers what label slots they need: 0
// is none.
struct Lane {
  QueueNumber queue = 0;
  ShareNumber share = 0;
  Priority level = Priority::normal;
  uint32_t slot_class = 0;
  auto operator<=>(const Lane&) const = default;
};

// Virtual times of a share and its levels without the charges of what runs now (fair_queue.hpp).
struct ShareTimes {
  double share = 0;
  std::array<double, k_priority_levels> levels{};
  bool operator==(const ShareTimes&) const = default;
};

// Slots of a label, sorted by label, each once.
using Slots = std::vector<std::pair<std::string, uint32_t>>;
// "build=2,gpu=1": one text for the same slots.
std::string to_string(const Slots& slots);
Result<Slots> parse_slots(std::string_view text);

// What an agent must have, as KEY=VALUE, sorted: keys `tool`, `model`, `pool`, and any other names
// a label.
using Requirements = std::vector<std::pair<std::string, std::string>>;
std::string to_string(const Requirements& requirements);
// What to_string gives: "pool=web,tool=browser".
Result<Requirements> parse_requirements(std::string_view text);
Status normalise(Requirements& requirements);
Status normalise(Slots& slots);

}  // namespace fabric
