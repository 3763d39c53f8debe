// SPDX-License-Identifier: Apache-2.0
// Limits that are no cgroup's: of a task's process, and of how fast its output is taken.
#pragma once

#include <stddef.h>

#include "init.hpp"

namespace fabric::init {

// In the task's process, before its exec. False: errno says why.
bool set_task_limits(const wire::TaskLimits& limits);

// How many bytes may be read of an output now; 0: it was put off until output.resume_at.
size_t allowance(Output& output, uint64_t rate, int64_t now);
void take_from_allowance(Output& output, uint64_t rate, size_t bytes);
// Reads on where that time has come.
void resume_outputs(Init& init, uint32_t slot, int64_t now);

// What the groups of the sandbox count, as it is now and since the attempt of `slot` began.
struct Counters {
  uint64_t throttled_ns = 0, pids_refused = 0;
};
Counters count(const Spec& spec);
// Tells whoever reads the journal what the slot runs (wire::SlotRecord).
void publish_slot(Init& init, uint32_t number);

}  // namespace fabric::init
