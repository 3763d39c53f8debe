// SPDX-License-Identifier: Apache-2.0
// The steps that build the sandbox, in the order in which main() takes them. Each refuses (and ends
// the process) when it cannot do its whole work: there is no half a wall.
#pragma once

#include "spec.hpp"

namespace fabric::init {

// signals.cpp: for ourselves, and in a task's process before it execs.
void set_signals();
void reset_signals();
// root.cpp: mounts, pivot_root, working directory.
void build_root(const Spec& spec);
// names.cpp: host name, the loopback interface, the cgroup namespace.
void set_names(const Spec& spec);
// privileges.cpp: bounding set, ids, capabilities, no_new_privs, not dumpable.
void drop_privileges(const Spec& spec);
// landlock.cpp: the second wall, where the kernel has it. Returns the ABI in force, 0 for none.
int restrict_files(const Spec& spec);
// self_check.cpp: reads back what the kernel says about this process.
void self_check(const Spec& spec);
// lookup.cpp: refuses when the agent's command could not be executed here.
void probe_command(const Spec& spec);

}  // namespace fabric::init
