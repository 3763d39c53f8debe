// SPDX-License-Identifier: Apache-2.0
// The slots of a sandbox seen from outside: whether something runs in them, who, and stopping it.
#pragma once

#include <string>
#include <vector>

#include "isolation/cgroup_host.hpp"

namespace fabric {

// Descriptors for poll(POLLPRI): they wake when a slot becomes populated or empty. None where the
// kernel does not tell (no unified hierarchy).
std::vector<Fd> slot_events(const CgroupHost& host, const std::string& sandbox);
// Whether something runs in one of them; reading clears what poll() waits for.
bool populated(const std::vector<Fd>& slot_events);
// Who runs in a slot, the init not.
std::vector<pid_t> slot_processes(const CgroupHost& host, const std::string& sandbox);
// Stops all of them as they are, where the kernel can; SIGKILL still ends them. Never for long: an
// init that is just starting an attempt waits for its child, which is frozen with the others.
enum class Frozen : bool { no, yes };
void freeze_slots(const CgroupHost& host, const std::string& sandbox, Frozen frozen);

}  // namespace fabric
