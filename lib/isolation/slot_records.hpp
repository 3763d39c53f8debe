// SPDX-License-Identifier: Apache-2.0
// What an init says of its slots, behind the ring of its exit journal (wire::SlotRecord).
#pragma once

#include <string>
#include <vector>

#include "isolation/init_wire.hpp"

namespace fabric {

// One for each slot that there may be. Empty when the file is not there, or of an init that keeps
// none.
std::vector<wire::SlotRecord> read_slot_records(const std::string& exit_journal);

}  // namespace fabric
