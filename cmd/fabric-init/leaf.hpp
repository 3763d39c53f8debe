// SPDX-License-Identifier: Apache-2.0
// The cgroup leaf of one slot: where an attempt's processes are counted, measured and killed. Made
// by the supervisor once, used by one attempt after the other. The descriptors were opened while
// this process was still allowed to; the tasks see no cgroup file system at all.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "spec.hpp"

namespace fabric::init {

struct Leaf {
  int directory = -1;  // unified, for CLONE_INTO_CGROUP
  int freeze = -1;
  int events = -1;
  int cpu = -1;
  int tasks = -1;      // v1 memory: the child writes 0 itself, which spares an RCU grace period
  int processes = -1;  // the list of members
  int oom = -1;
  int peak = -1;
  uint64_t cpu_before_us = 0;
  uint64_t oom_before = 0;
  uint64_t peak_before = 0;  // 0 when it was reset
  uint64_t limit = 0;        // of memory, for all slots together; 0 for none
};

// The number after "name " at the start of a line of a control file, or 0.
uint64_t control_field(int fd, const char* name);
void open_leaf(Leaf& leaf, const LeafFds& fds, bool memory_v2);
void begin_measuring(Leaf& leaf);
uint64_t cpu_used_ns(const Leaf& leaf);  // 0 when unknown
// `largest`: the most that one of its processes held, in case the group cannot tell.
uint64_t memory_peak(const Leaf& leaf, uint64_t largest);
bool oom_killed(const Leaf& leaf);

// Whether a process of the attempt is left.
bool populated(const Leaf& leaf);
// SIGKILL to all of them. One that is forked meanwhile is met by calling again while populated().
void kill_leaf(const Leaf& leaf);
void thaw_leaf(const Leaf& leaf);

}  // namespace fabric::init
